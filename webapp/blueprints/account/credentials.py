"""Changes to who can get in: password and address."""

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webapp.blueprints.account.blueprint import bp
from webapp.blueprints.account.forms import EmailForm, FirstPasswordForm, PasswordForm
from webapp.http import cookie_delivery
from webapp.http.access import fresh_sign_in
from webapp.http.client import client_of
from webapp.http.identity import signed_in
from webapp.http.redirects import see_other
from webapp.services import email_change, identities, passwords


@bp.route("/password", methods=["GET", "POST"])
@fresh_sign_in
def password() -> ResponseReturnValue:
    """Change the password, or choose the first one."""
    if signed_in().password_changed_at is None:
        return _first_password()
    form = PasswordForm()
    if form.validate_on_submit() and form.showing(
        passwords.change_password,
        signed_in(),
        form.current_password.data,
        form.new_password.data,
        client_of(request),
    ):
        cookie_delivery.renew()
        flash(gettext("Your password was changed, and every other device was signed out."), "success")
        return see_other(url_for("account.profile"))
    return render_template("account/password.html", form=form), 422 if form.is_submitted() else 200


@bp.route("/email", methods=["GET", "POST"])
@fresh_sign_in
def email() -> ResponseReturnValue:
    """Ask for another address; `?like=google` has the one that the person has there in the field."""
    me, form = signed_in(), EmailForm(email=_address_at(request.args.get("like")))
    if form.validate_on_submit() and (
        done := form.showing(email_change.request_email_change, me, form.email.data, client_of(request))
    ):
        flash(gettext("We have sent a link to %(email)s.", email=done.value), "success")
        return see_other(url_for("account.email"))
    pending = email_change.find_pending_change(me.user_id)
    return render_template("account/email.html", form=form, pending_email=pending), 422 if form.is_submitted() else 200


@bp.post("/email/cancel")
def cancel_email_change() -> ResponseReturnValue:
    """Stay with the address there is."""
    email_change.cancel_email_change(signed_in())
    flash(gettext("Your address stays as it is."), "success")
    return see_other(url_for("account.email"))


def _address_at(provider: str | None) -> str:
    """Only the person's own: nobody can send them here with an address of another's."""
    connected = identities.list_connections(signed_in()) if provider else []
    return next((found.email for found in connected if found.provider == provider and found.email), "")


def _first_password() -> ResponseReturnValue:
    form = FirstPasswordForm()
    if form.validate_on_submit() and form.showing(
        passwords.choose_first_password, signed_in(), form.new_password.data, client_of(request)
    ):
        cookie_delivery.renew()
        flash(gettext("You have a password now, and every other device was signed out."), "success")
        return see_other(url_for("account.profile"))
    return render_template("account/first_password.html", form=form), 422 if form.is_submitted() else 200
