"""Signing in by a mailed link or code, where the site offers it."""

from flask import make_response, render_template, request
from flask.typing import ResponseReturnValue

from webapp.blueprints.auth.blueprint import bp
from webapp.blueprints.auth.forms import ConfirmForm, ForgotPasswordForm, MailedCodeForm
from webapp.http import cookie_delivery, handshake
from webapp.http.client import client_of
from webapp.http.headers import hide_path_from_referrers
from webapp.services import mailed_sign_in as service
from webapp.services import sign_in
from webapp.services.client import Client


@bp.route("/login/mail", methods=["GET", "POST"])
def mailed_sign_in() -> ResponseReturnValue:
    """Ask for a mail to sign in with. The answer is the same whether there is such an account."""
    service.check_offered()
    form = ForgotPasswordForm()
    if form.validate_on_submit() and (
        done := form.showing(service.send_sign_in_mail, form.email.data, client_of(request))
    ):
        handshake.keep_mail_secret(done.value)
        return render_template("auth/mailed_code.html", form=MailedCodeForm(formdata=None), email=form.email.data)
    return render_template("auth/mailed_sign_in.html", form=form), 422 if form.is_submitted() else 200


@bp.route("/login/mail/code", methods=["GET", "POST"])
def mailed_code() -> ResponseReturnValue:
    """Type the code of the mail."""
    service.check_offered()
    form = MailedCodeForm()
    if form.validate_on_submit() and (done := form.showing(_with_code, form.code.data, client_of(request))):
        return cookie_delivery.deliver(done.value, None)
    return render_template("auth/mailed_code.html", form=form, email=None), 422 if form.is_submitted() else 200


@bp.route("/login/mailed/<token>", methods=["GET", "POST"])
def mailed_link(token: str) -> ResponseReturnValue:
    """Follow the link of the mail, in the browser that asked for it. The GET only shows a button."""
    here, form = service.is_for_here(token, handshake.mail_secret(), client_of(request)), ConfirmForm()
    if form.validate_on_submit() and here and (done := form.showing(_with_link, token, client_of(request))):
        return cookie_delivery.deliver(done.value, None)
    page = render_template("auth/mailed_link.html", form=form, here=here, token=token)
    return hide_path_from_referrers(make_response(page, 422 if form.is_submitted() else 200))


def _with_code(code: str | None, client: Client) -> sign_in.Started | sign_in.Pending:
    proof = service.prove_by_code(code or "", handshake.mail_secret(), client)
    return sign_in.start_sign_in(proof, client, kind="web")


def _with_link(token: str, client: Client) -> sign_in.Started | sign_in.Pending:
    proof = service.prove_by_link(token, handshake.mail_secret(), client)
    return sign_in.start_sign_in(proof, client, kind="web")
