"""What a passkey's browser side sends along in a form: a JSON object, read within bounds."""

import json
from collections.abc import Mapping
from typing import Any

from flask import session
from flask_wtf.csrf import generate_csrf
from wtforms import HiddenField, StringField

from webapp.errors import DomainError, FactorRefused, PasskeyRefused
from webapp.http.csrf import TOKEN_FIELD
from webapp.http.forms import Form
from webapp.services.second_factor import Answer, Method

LONGEST = 16 * 1024  # characters


class CodeOrPasskeyForm(Form):
    """A code, or what a passkey signed."""

    code = StringField()
    method = HiddenField()
    credential = HiddenField()

    def tell(self, error: DomainError) -> None:
        """Show a refusal. With a passkey, there is no code that could be wrong."""
        is_passkey = isinstance(error, FactorRefused) and self.method.data == Method.PASSKEY
        super().tell(PasskeyRefused() if is_passkey else error)


def this_browser() -> str:
    """What a challenge is tied to: the secret behind this browser's forms, new whenever somebody signs in or out."""
    generate_csrf()
    return str(session[TOKEN_FIELD])


def credential_of(field: str | None) -> Mapping[str, Any]:
    """The object in a form's field. Raises PasskeyRefused."""
    try:
        if not field or len(field) > LONGEST:
            raise ValueError("nothing, or too much")
        value = json.loads(field)
    except (ValueError, RecursionError):
        raise PasskeyRefused from None
    if not isinstance(value, dict) or not isinstance(value.get("response"), dict):
        raise PasskeyRefused
    return value


def answer_of(form: CodeOrPasskeyForm) -> Answer:
    """The second factor in a form; what is none becomes an answer that proves nothing."""
    if form.method.data == Method.PASSKEY:
        return Answer(Method.PASSKEY, credential=_credential_or_none(form.credential.data))
    method = Method.RECOVERY if form.method.data == Method.RECOVERY else Method.TOTP
    return Answer(method, code=(form.code.data or "")[:100])


def _credential_or_none(field: str | None) -> Mapping[str, Any] | None:
    try:
        return credential_of(field)
    except PasskeyRefused:
        return None
