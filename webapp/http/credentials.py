"""What a passkey's browser side sends along in a form: a JSON object, read within bounds."""

import json
from collections.abc import Mapping
from typing import Any

from wtforms import HiddenField, StringField

from webapp.errors import FactorRefused, PasskeyRefused
from webapp.http.forms import Form
from webapp.services.second_factor import Answer, Method

LONGEST = 16 * 1024  # characters


class CodeOrPasskeyForm(Form):
    """A code, or what a passkey signed."""

    code = StringField()
    method = HiddenField()
    credential = HiddenField()


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
    """The second factor in a form. Raises FactorRefused or PasskeyRefused."""
    try:
        method = Method(form.method.data or "")
    except ValueError:
        raise FactorRefused from None
    if method is Method.PASSKEY:
        return Answer(method, credential=credential_of(form.credential.data))
    return Answer(method, code=(form.code.data or "")[:100])
