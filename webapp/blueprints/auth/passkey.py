"""Signing in by a passkey, without a password or even an address."""

from flask import Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from webapp.blueprints.auth.blueprint import bp
from webapp.blueprints.auth.forms import LoginForm, PasskeyForm
from webapp.http import cookie_delivery
from webapp.http.client import client_of
from webapp.http.credentials import credential_of
from webapp.services import passkey_proofs, sign_in
from webapp.services.client import Client


@bp.get("/login/passkey")
def passkey_options() -> Response:
    """What the browser needs to sign somebody in by a passkey."""
    return jsonify(passkey_proofs.sign_in_options())


@bp.post("/login/passkey")
def passkey() -> ResponseReturnValue:
    """Sign in by a passkey."""
    form = PasskeyForm()
    if form.validate_on_submit() and (done := form.showing(_with_passkey, form.credential.data, client_of(request))):
        return cookie_delivery.deliver(done.value, form.next.data)
    login = LoginForm(formdata=None, next=form.next.data)
    login.form_errors = form.form_errors
    return render_template("auth/login.html", form=login), 422


def _with_passkey(credential: str | None, client: Client) -> sign_in.Started | sign_in.Pending:
    proof = passkey_proofs.prove_sign_in(credential_of(credential), client)
    return sign_in.start_sign_in(proof, client, kind="web")
