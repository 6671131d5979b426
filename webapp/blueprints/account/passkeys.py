"""The passkeys of an account."""

import uuid

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webapp.blueprints.account.blueprint import bp
from webapp.blueprints.account.forms import ConfirmForm, NewPasskeyForm, PasskeyNameForm
from webapp.http import cookie_delivery
from webapp.http.access import fresh_sign_in
from webapp.http.client import client_of
from webapp.http.credentials import credential_of
from webapp.http.forms import Form
from webapp.http.identity import signed_in
from webapp.http.redirects import see_other
from webapp.services import passkeys
from webapp.services.client import Client
from webapp.services.login_sessions import SignedIn


@bp.get("/security/passkeys")
def list_passkeys() -> ResponseReturnValue:
    """All of them, and the button that makes one."""
    return _page(NewPasskeyForm())


@bp.get("/security/passkeys/options")
@fresh_sign_in
def new_passkey_options() -> ResponseReturnValue:
    """What the browser needs to make one."""
    done = NewPasskeyForm(formdata=None).showing(passkeys.registration_options, signed_in())
    return jsonify(done.value) if done else redirect(url_for("account.list_passkeys"))


@bp.post("/security/passkeys")
@fresh_sign_in
def add_passkey() -> ResponseReturnValue:
    """Keep one that the browser has made."""
    form, had_factor = NewPasskeyForm(), signed_in().has_factor
    if form.validate_on_submit() and form.showing(
        _add, signed_in(), form.credential.data, form.name.data or "", client_of(request)
    ):
        cookie_delivery.renew()
        flash(gettext("The passkey was added."), "success")
        return see_other(url_for("account.list_passkeys" if had_factor else "account.recovery_codes_page"))
    return _page(form)


@bp.post("/security/passkeys/<uuid:passkey_id>/rename")
@fresh_sign_in
def rename_passkey(passkey_id: uuid.UUID) -> ResponseReturnValue:
    """Call it something else."""
    form = PasskeyNameForm()
    if form.validate_on_submit() and form.showing(
        passkeys.rename_passkey, signed_in(), passkey_id, form.name.data or "", client_of(request)
    ):
        flash(gettext("Saved."), "success")
        return see_other(url_for("account.list_passkeys"))
    form.name.id = f"name-{passkey_id}"  # each passkey of the page has such a field
    return _page(form, renamed=passkey_id)


@bp.post("/security/passkeys/<uuid:passkey_id>/remove")
@fresh_sign_in
def remove_passkey(passkey_id: uuid.UUID) -> ResponseReturnValue:
    """Take it away."""
    form = ConfirmForm()
    if form.validate_on_submit() and form.showing(passkeys.remove_passkey, signed_in(), passkey_id, client_of(request)):
        flash(gettext("The passkey was removed."), "success")
        return see_other(url_for("account.list_passkeys"))
    return _page(form)


def _add(me: SignedIn, credential: str | None, name: str, client: Client) -> None:
    passkeys.add_passkey(me, credential_of(credential), name, client)


def _page(form: Form, *, renamed: uuid.UUID | None = None) -> ResponseReturnValue:
    found = passkeys.list_passkeys(signed_in())
    page = render_template(
        "account/passkeys.html",
        form=form,
        new=form if isinstance(form, NewPasskeyForm) else NewPasskeyForm(formdata=None),
        renamed=renamed,
        passkeys=found,
        has_room=len(found) < passkeys.MOST_A_USER,
    )
    return page, 422 if form.is_submitted() else 200
