"""Register, sign in, sign out, forget a password."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext
from flask_login import current_user

from webapp.blueprints.auth.blueprint import bp
from webapp.blueprints.auth.forms import ForgotPasswordForm, LoginForm, RegisterForm
from webapp.http import cookie_delivery
from webapp.http.client import client_of
from webapp.http.identity import signed_in
from webapp.http.redirects import safe_next, see_other
from webapp.services import login_sessions, passwords, registration, sign_in
from webapp.services.client import Client


@bp.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    """Make an account. The answer is the same whether the address is new or known."""
    if current_user.is_authenticated:
        return redirect(url_for("account.profile"))
    form = RegisterForm()
    if form.validate_on_submit() and (
        done := form.showing(
            registration.register,
            form.email.data,
            form.password.data,
            form.name.data or "",
            str(get_locale()),
            client_of(request),
        )
    ):
        return render_template(
            "auth/check_mail.html",
            heading=gettext("Check your mailbox"),
            email=done.value,
            what=gettext("We have sent a mail there. Follow the link in it to go on."),
        )
    return render_template("auth/register.html", form=form), 422 if form.is_submitted() else 200


@bp.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """Sign in with address and password."""
    if current_user.is_authenticated:
        return redirect(safe_next(request.args.get("next"), default=url_for("account.profile")))
    form = LoginForm(next=request.args.get("next", ""))
    if form.validate_on_submit() and (
        done := form.showing(
            _with_password, form.email.data, form.password.data, client_of(request), persistent=form.remember.data
        )
    ):
        return cookie_delivery.deliver(done.value, form.next.data)
    return render_template("auth/login.html", form=form), 422 if form.is_submitted() else 200


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """End this login session, on the server and in the browser."""
    login_sessions.sign_out(signed_in(), client_of(request))
    cookie_delivery.sign_out()
    flash(gettext("You are signed out."), "success")
    return see_other(url_for("home.index"))


@bp.route("/password/forgot", methods=["GET", "POST"])
def forgot_password() -> ResponseReturnValue:
    """Ask for a link to a new password. The answer is the same whether there is such an account."""
    form = ForgotPasswordForm()
    if form.validate_on_submit() and form.showing(passwords.forgot_password, form.email.data, client_of(request)):
        return render_template(
            "auth/check_mail.html",
            heading=gettext("Check your mailbox"),
            email=form.email.data,
            what=gettext("If there is an account with this address, a link to choose a new password is on its way."),
        )
    return render_template("auth/forgot_password.html", form=form), 422 if form.is_submitted() else 200


def _with_password(email: str, password: str, client: Client, *, persistent: bool) -> sign_in.Started | sign_in.Pending:
    proof = passwords.verify_password(email, password, client)
    return sign_in.start_sign_in(proof, client, kind="web", persistent=persistent)
