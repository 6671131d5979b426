"""What protects this account: the second factors, and the browsers in which they are not asked for."""

import uuid
from dataclasses import dataclass

import segno
from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webapp.blueprints.account.blueprint import bp
from webapp.blueprints.account.forms import CodeForm, ConfirmForm
from webapp.http import cookie_delivery
from webapp.http.access import fresh_sign_in
from webapp.http.client import client_of
from webapp.http.devices import local_device_name
from webapp.http.identity import signed_in
from webapp.http.redirects import safe_next, see_other
from webapp.services import protection, recovery_codes, totp, trusted_browsers

QUIET_ZONE = 4  # modules of nothing around a QR code, by which cameras find it


@dataclass(frozen=True)
class QrCode:
    """A QR code to be drawn in the page, without a style: a strict CSP lets it be shown."""

    size: int  # modules, the quiet zone included
    path: str  # the dark ones, for <path d>


@bp.get("/security")
def security() -> ResponseReturnValue:
    """All of it on one page."""
    return _overview(ConfirmForm())


@bp.get("/security/set-up")
def set_up_factor() -> ResponseReturnValue:
    """Which second factor shall it be: a free choice, or on the way to where one is demanded first."""
    next_path = safe_next(request.args.get("next"), default="")
    if signed_in().has_factor:
        return see_other(next_path or url_for("account.profile"))
    if next_path:
        cookie_delivery.note_set_up(next_path)
    return render_template("account/set_up_factor.html")


@bp.get("/security/go-on")
def after_set_up() -> ResponseReturnValue:
    """A second factor is set up: on to where somebody wanted to go before."""
    next_path = cookie_delivery.after_set_up()
    cookie_delivery.forget_set_up()
    return see_other(safe_next(next_path, default=url_for("account.security")))


@bp.route("/security/totp", methods=["GET", "POST"])
@fresh_sign_in
def set_up_totp() -> ResponseReturnValue:
    """Set an authenticator app up: it counts once it has shown a code."""
    form, setup = CodeForm(), totp.begin_totp(signed_in())
    if form.validate_on_submit() and form.showing(
        totp.confirm_totp, signed_in(), form.code.data or "", client_of(request)
    ):
        cookie_delivery.renew()
        flash(gettext("Your authenticator app is set up. Now keep recovery codes for the day it is lost."), "success")
        return see_other(url_for("account.recovery_codes_page"))
    page = render_template("account/totp.html", form=form, secret=setup.secret, qr=_qr(setup.uri))
    return page, 422 if form.is_submitted() else 200


@bp.post("/security/totp/remove")
@fresh_sign_in
def remove_totp() -> ResponseReturnValue:
    """Take the authenticator app away."""
    form = ConfirmForm()
    if form.validate_on_submit() and form.showing(totp.remove_totp, signed_in(), client_of(request)):
        flash(gettext("The authenticator app was removed."), "success")
        return see_other(url_for("account.security"))
    return _overview(form)


@bp.route("/security/recovery-codes", methods=["GET", "POST"])
@fresh_sign_in
def recovery_codes_page() -> ResponseReturnValue:
    """Make recovery codes, and show them this once."""
    if not signed_in().has_factor:  # they only stand in for one
        return see_other(url_for("account.security"))
    form = ConfirmForm()
    if form.validate_on_submit() and (done := form.showing(recovery_codes.make_codes, signed_in(), client_of(request))):
        return render_template("account/recovery_codes.html", form=form, codes=done.value, left=len(done.value))
    page = render_template("account/recovery_codes.html", form=form, codes=(), left=protection.codes_left(signed_in()))
    return page, 422 if form.is_submitted() else 200


@bp.post("/security/browsers/<uuid:trust_id>/revoke")
def distrust_browser(trust_id: uuid.UUID) -> ResponseReturnValue:
    """Ask for the second factor in that browser again."""
    trusted_browsers.distrust(signed_in(), trust_id)
    flash(gettext("In that browser you will be asked again."), "success")
    return see_other(url_for("account.security"))


def _overview(form: ConfirmForm) -> ResponseReturnValue:
    page = render_template(
        "account/security.html",
        form=form,
        protection=protection.overview(signed_in()),
        browsers=trusted_browsers.list_trusted(signed_in(), client_of(request)),
        device_name=local_device_name,
    )
    return page, 422 if form.is_submitted() else 200


def _qr(uri: str) -> QrCode:
    code = segno.make(uri, error="m")
    rows = [bytes(row) for row in code.matrix_iter(border=QUIET_ZONE)]
    dark = [(x, y) for y, row in enumerate(rows) for x, module in enumerate(row) if module]
    return QrCode(len(rows), "".join(f"M{x} {y}h1v1h-1z" for x, y in dark))
