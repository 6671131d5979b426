"""To a provider and back."""

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext
from flask_login import current_user

from webapp.blueprints.federation.blueprint import bp
from webapp.blueprints.federation.endings import deliver, go_on, leave
from webapp.blueprints.federation.forms import ConfirmForm, ConnectForm, StartForm
from webapp.errors import AuthorizationExpired
from webapp.http import handshake
from webapp.http.client import client_of
from webapp.http.identity import signed_in
from webapp.http.redirects import safe_next, see_other
from webapp.services import authorization, federation, identities, link_offers
from webapp.services.authorization import Errand
from webapp.services.federation import Answer, Intent


@bp.post("/login/<provider>")
def start(provider: str) -> ResponseReturnValue:
    """Leave for a provider, to sign in. A form, so that no link of another site begins it (ASVS 7.6.2)."""
    authorization.relying_party(provider)
    form = StartForm()
    form.validate_on_submit()
    next_path = safe_next(form.next.data, default="")
    errand = Errand(Intent.SIGN_IN, next_path=next_path, asks_which=bool(form.choose.data))
    return leave(provider, errand)


@bp.get("/login/<provider>/callback")
def callback(provider: str) -> ResponseReturnValue:
    """Back from a provider. What came along in the address works once, so a reload shows that it is over."""
    state = request.args.get("state")
    if state is None:
        authorization.relying_party(provider)
        raise AuthorizationExpired
    answer = Answer(state, request.args.get("code"), request.args.get("error"), request.args.get("iss"))
    me = signed_in() if current_user.is_authenticated else None
    ending = federation.finish(
        provider, answer, handshake.browser_secret(), me, client_of(request), locale=str(get_locale())
    )
    return deliver(ending)


@bp.route("/login/<provider>/connect", methods=["GET", "POST"])
def connect(provider: str) -> ResponseReturnValue:
    """The address has an account already: its owner signs in to it, and the two are linked."""
    handle = handshake.offer_handle()
    offer = link_offers.find_offer(provider, handle)
    next_path = safe_next(request.args.get("next"), default=url_for("federation.connections"))
    if current_user.is_authenticated and signed_in().email == offer.email:
        return _connect_here(provider, offer, next_path)
    form = ConnectForm()
    if form.validate_on_submit() and (
        done := form.showing(federation.link_by_password, provider, handle, form.password.data, client_of(request))
    ):
        return go_on(done.value, provider, offer.label, next_path)
    others = [name for name in offer.other_providers if name != provider]
    page = render_template("federation/connect.html", form=form, offer=offer, provider=provider, others=others)
    return page, 422 if form.is_submitted() else 200


@bp.get("/account/welcome")
def welcome() -> ResponseReturnValue:
    """An account was just made: what it is, and where to go on."""
    next_path = safe_next(request.args.get("next"), default=url_for("account.profile"))
    ways = [way for way in identities.list_connections(signed_in()) if way.linked]
    return render_template("federation/welcome.html", next_path=next_path, ways=ways)


def _connect_here(provider: str, offer: link_offers.LinkOffer, next_path: str) -> ResponseReturnValue:
    """The same for whoever is signed in to that account by now."""
    form = ConfirmForm()
    if form.validate_on_submit() and form.showing(
        federation.link_after_sign_in, provider, handshake.offer_handle(), signed_in(), client_of(request)
    ):
        handshake.forget_offer()
        flash(gettext("%(provider)s is connected.", provider=offer.label), "success")
        return see_other(next_path)
    page = render_template("federation/connect_here.html", form=form, offer=offer, provider=provider)
    return page, 422 if form.is_submitted() else 200
