"""The accounts at providers that open this one; and proving again by one of them who one is."""

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webapp.blueprints.federation.blueprint import bp
from webapp.blueprints.federation.endings import leave
from webapp.blueprints.federation.forms import ConfirmForm, StartForm
from webapp.http.access import fresh_sign_in
from webapp.http.client import client_of
from webapp.http.identity import signed_in
from webapp.http.redirects import safe_next, see_other
from webapp.services import authorization, identities
from webapp.services.authorization import Errand
from webapp.services.federation import Intent

# What signing in takes; Google spells two of them at length, as .../auth/userinfo.email.
_TO_SIGN_IN = frozenset({"openid", "email", "profile", "userinfo.email", "userinfo.profile", "offline_access"})


@bp.get("/account/connections")
def connections() -> ResponseReturnValue:
    """What is connected, and what could be."""
    return _page(ConfirmForm())


@bp.post("/account/connections/<provider>/link")
@fresh_sign_in
def link(provider: str) -> ResponseReturnValue:
    """Leave for a provider, to connect an account there."""
    page = url_for("federation.connections")
    return leave(provider, Errand(Intent.LINK, next_path=page, login_session_id=signed_in().login_session_id))


@bp.post("/account/connections/<provider>/unlink")
@fresh_sign_in
def unlink(provider: str) -> ResponseReturnValue:
    """Disconnect it."""
    form = ConfirmForm()
    if form.validate_on_submit() and form.showing(identities.unlink, signed_in(), provider, client_of(request)):
        flash(gettext("%(provider)s was disconnected.", provider=identities.label_of(provider)), "success")
        return see_other(url_for("federation.connections"))
    return _page(form)


@bp.post("/reauthenticate/<provider>")
def reauthenticate(provider: str) -> ResponseReturnValue:
    """Leave for a provider, to prove again who one is. One that is connected to this account."""
    authorization.relying_party(provider)
    me, form = signed_in(), StartForm()
    form.validate_on_submit()
    errand = Errand(
        Intent.REAUTHENTICATE,
        next_path=safe_next(form.next.data, default=url_for("account.profile")),
        login_session_id=me.login_session_id,
        login_hint=identities.find_email_at(me, provider) or "",
    )
    return leave(provider, errand)


def _allowed(connection: identities.Connection) -> list[str]:
    """What we may do there beyond learning who it is, by the last words of its scope."""
    scopes = [scope.rstrip("/").rpartition("/auth/")[2] or scope for scope in connection.granted_scopes]
    return [scope for scope in scopes if scope not in _TO_SIGN_IN]


def _page(form: ConfirmForm) -> ResponseReturnValue:
    found = identities.list_connections(signed_in())
    page = render_template("federation/connections.html", form=form, connections=found, allowed=_allowed)
    return page, 422 if form.is_submitted() else 200
