"""Proving again who one is, before a change to who can get in: with the factors that the account has."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp import clock
from webapp.blueprints.auth.blueprint import bp
from webapp.blueprints.auth.forms import PasskeyForm, ReauthenticateFactorForm, ReauthenticateForm
from webapp.http import cookie_delivery
from webapp.http.client import client_of
from webapp.http.credentials import answer_of, credential_of, this_browser
from webapp.http.identity import signed_in
from webapp.http.redirects import safe_next, see_other
from webapp.services import identities, reauthentication
from webapp.services.client import Client
from webapp.services.login_sessions import SignedIn
from webapp.services.second_factor import Method


@bp.route("/reauthenticate", methods=["GET", "POST"])
def reauthenticate() -> ResponseReturnValue:
    """The first factor again; where there is a second, it comes next."""
    form = ReauthenticateForm(next=request.args.get("next", ""))
    if form.validate_on_submit() and (
        done := form.showing(reauthentication.prove_password_again, signed_in(), form.password.data, client_of(request))
    ):
        if not done.value:
            cookie_delivery.note_first_proof(clock.now())
            return see_other(url_for("auth.reauthenticate_factor", next=safe_next(form.next.data, default="") or None))
        return _proven(form.next.data)
    return _page(form)


@bp.route("/reauthenticate/verify", methods=["GET", "POST"])
def reauthenticate_factor() -> ResponseReturnValue:
    """The second factor again, by a code. A passkey is shown on the page before, alone."""
    methods = [method for method in reauthentication.factor_methods(signed_in()) if method != Method.PASSKEY]
    if not methods or cookie_delivery.first_proof_at() is None:
        return redirect(url_for("auth.reauthenticate", next=request.args.get("next")))
    form = ReauthenticateFactorForm(next=request.args.get("next", ""), method=request.args.get("method", methods[0]))
    if form.validate_on_submit() and form.showing(_by_factor, signed_in(), form, client_of(request)):
        return _proven(form.next.data)
    page = render_template("auth/reauthenticate_factor.html", form=form, methods=methods)
    return page, 422 if form.is_submitted() else 200


@bp.post("/reauthenticate/passkey")
def reauthenticate_by_passkey() -> ResponseReturnValue:
    """A passkey, which is both factors."""
    form = PasskeyForm()
    if form.validate_on_submit() and form.showing(_by_passkey, signed_in(), form.credential.data, client_of(request)):
        return _proven(form.next.data)
    for told in form.form_errors:
        flash(told, "error")
    return see_other(url_for("auth.reauthenticate", next=safe_next(form.next.data, default="") or None))


def _by_factor(me: SignedIn, form: ReauthenticateFactorForm, client: Client) -> None:
    reauthentication.prove_factor_again(me, answer_of(form), cookie_delivery.first_proof_at(), client)


def _by_passkey(me: SignedIn, credential: str | None, client: Client) -> None:
    reauthentication.prove_passkey_again(me, credential_of(credential), client, browser=this_browser())


def _proven(next_path: str | None) -> ResponseReturnValue:
    cookie_delivery.renew()
    return see_other(safe_next(next_path, default=url_for("account.profile")))


def _page(form: ReauthenticateForm) -> ResponseReturnValue:
    methods = reauthentication.factor_methods(signed_in())
    only_passkey = [*methods] == [Method.PASSKEY]  # which is both factors; another way in would be one of two
    connections = [] if only_passkey else identities.list_connections(signed_in())
    ways = [way for way in connections if way.linked and not way.blocked]
    page = render_template(
        "auth/reauthenticate.html",
        form=form,
        ways=ways,
        has_passkey=Method.PASSKEY in methods,
        only_passkey=only_passkey,
    )
    return page, 422 if request.method == "POST" else 200
