"""Pages behind mailed links. A GET shows a button and spends nothing: mail scanners follow links."""

from flask import Response, flash, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_login import current_user

from webapp.blueprints.auth.blueprint import bp
from webapp.blueprints.auth.forms import ConfirmForm, ResetPasswordForm
from webapp.errors import LinkInvalid
from webapp.http import cookie_delivery
from webapp.http.client import client_of
from webapp.http.headers import hide_path_from_referrers
from webapp.http.identity import signed_in
from webapp.http.logging import security_log
from webapp.http.redirects import see_other
from webapp.services import email_change, login_sessions, passwords, registration, sign_in
from webapp.services.client import Client

# Why a link opens nothing, by the code of the refusal.
REASONS = {
    "link_invalid": lazy_gettext("Perhaps part of it was cut off. Please open it from the mail again."),
    "link_expired": lazy_gettext("It was sent too long ago."),
    "link_used": lazy_gettext("It has already been used; every link works once."),
    "link_replaced": lazy_gettext("A newer link or a later change has taken its place."),
}


@bp.route("/verify-email/<token>", methods=["GET", "POST"])
def verify_email(token: str) -> ResponseReturnValue:
    """Confirm the address of a new account, and sign in."""
    user, form = registration.find_unconfirmed(token, client_of(request)), ConfirmForm()
    if form.validate_on_submit() and (done := form.showing(_with_confirmation, token, client_of(request))):
        response = cookie_delivery.deliver(done.value, None)
        flash(gettext("Your address is confirmed. Welcome!"), "success")
        return response
    return _page("auth/verify_email.html", form=form, email=user.email, name=user.name, token=token)


@bp.post("/verify-email/<token>/decline")
def decline_registration(token: str) -> ResponseReturnValue:
    """The owner of the address did not ask for the account: it goes."""
    registration.decline(token, client_of(request))
    flash(gettext("Thank you. The account has been removed."), "success")
    return see_other(url_for("home.index"))


@bp.route("/password/reset/<token>", methods=["GET", "POST"])
def reset_password(token: str) -> ResponseReturnValue:
    """Set a new password. Ends at the sign-in page, so that a second step is never skipped (ASVS 6.4.3)."""
    user, form = passwords.find_resettable(token, client_of(request)), ResetPasswordForm()
    if form.validate_on_submit() and (
        done := form.showing(passwords.reset_password, token, form.password.data, client_of(request))
    ):
        _sign_out_here()
        cookie_delivery.remember_device(done.value)
        flash(gettext("Your new password is set. Please sign in with it."), "success")
        return see_other(url_for("auth.login"))
    return _page("auth/reset_password.html", form=form, email=user.email)


@bp.route("/email/confirm/<token>", methods=["GET", "POST"])
def confirm_email_change(token: str) -> ResponseReturnValue:
    """Make the new address the account's."""
    email, form = email_change.find_confirmable(signed_in(), token, client_of(request)), ConfirmForm()
    if form.validate_on_submit() and form.showing(
        email_change.confirm_email_change, signed_in(), token, client_of(request)
    ):
        flash(gettext("From now on you sign in with your new address."), "success")
        return see_other(url_for("account.profile"))
    return _page("auth/confirm_email_change.html", form=form, email=email)


@bp.route("/email/undo/<token>", methods=["GET", "POST"])
def undo_email_change(token: str) -> ResponseReturnValue:
    """Take the old address back, and lock out whoever changed it."""
    email, form = email_change.find_undoable(token, client_of(request)), ConfirmForm()
    if form.validate_on_submit() and form.showing(email_change.undo_email_change, token, client_of(request)):
        _sign_out_here()
        return _page(
            "auth/check_mail.html",
            200,
            heading=gettext("Your address is back"),
            email=email,
            what=gettext(
                "Every device was signed out. Follow the link that we have sent there to choose a new password."
            ),
        )
    return _page("auth/undo_email_change.html", form=form, email=email)


@bp.errorhandler(LinkInvalid)
def dead_link(error: LinkInvalid) -> ResponseReturnValue:
    """Say why a link opens nothing, and what to do instead."""
    security_log("link_refused", reason=error.code)
    way_in = gettext("Sign in") if error.code == "link_used" else gettext("Sign in to get a new one")
    steps = {
        "auth.verify_email": (url_for("auth.login"), way_in),
        "auth.reset_password": (url_for("auth.forgot_password"), gettext("Get a new link")),
    }
    next_step_url, label = steps.get(request.endpoint or "", (url_for("home.index"), gettext("Go to the start page")))
    page = {"reason": REASONS[error.code], "next_step_url": next_step_url, "next_step_label": label}
    return _page("auth/dead_link.html", 410, **page)


def _page(template: str, status: int | None = None, **context: object) -> Response:
    status = status or (422 if request.method == "POST" else 200)
    return hide_path_from_referrers(make_response(render_template(template, **context), status))


def _sign_out_here() -> None:
    """Whoever is signed in on this browser, be it as somebody else: it is signed out."""
    if current_user.is_authenticated:
        login_sessions.sign_out(signed_in(), client_of(request))
    cookie_delivery.sign_out()


def _with_confirmation(token: str, client: Client) -> sign_in.Started | sign_in.Pending:
    return sign_in.start_sign_in(registration.confirm_email(token, client), client, kind="web")
