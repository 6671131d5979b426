"""Signing in by a passkey, without a password or even an address."""

from flask import Response, flash, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from webapp.blueprints.auth.blueprint import bp
from webapp.blueprints.auth.forms import PasskeyForm
from webapp.http import cookie_delivery
from webapp.http.client import client_of
from webapp.http.credentials import credential_of, this_browser
from webapp.http.redirects import safe_next, see_other
from webapp.services import passkey_proofs, sign_in
from webapp.services.client import Client


@bp.get("/login/passkey")
def passkey_options() -> Response:
    """What the browser needs to sign somebody in by a passkey."""
    return jsonify(passkey_proofs.sign_in_options(this_browser()))


@bp.post("/login/passkey")
def passkey() -> ResponseReturnValue:
    """Sign in by a passkey."""
    form = PasskeyForm()
    if form.validate_on_submit() and (done := form.showing(_with_passkey, form.credential.data, client_of(request))):
        return cookie_delivery.deliver(done.value, form.next.data)
    for told in form.form_errors:
        flash(told, "error")
    return see_other(url_for("auth.login", next=safe_next(form.next.data, default="") or None))


def _with_passkey(credential: str | None, client: Client) -> sign_in.Started | sign_in.Pending:
    proof = passkey_proofs.prove_sign_in(credential_of(credential), client, browser=this_browser())
    return sign_in.start_sign_in(proof, client, kind="web")
