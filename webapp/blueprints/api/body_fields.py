"""The kinds of values that bodies and addresses hold. Shape only."""

import re
import uuid
from typing import Any

from flask_babel import lazy_gettext as _
from marshmallow import fields
from marshmallow.validate import Length, OneOf, Regexp

# What http.json_bodies refuses in any text, but for lone surrogates, which no expression can name.
TYPEABLE = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
MESSAGES = {
    "required": _("This is missing."),
    "null": _("This may not be null."),
    "validator_failed": _("This value does not fit."),
    "invalid": _("This is not the kind of value that belongs here."),
}


class Text(fields.String):
    """A text of a bearable length, `at most` in code points, of any characters or those of an `alphabet`."""

    default_error_messages = {**MESSAGES, "invalid": _("This is not a text.")}

    def __init__(
        self,
        at_most: int,
        *,
        example: str,
        note: str,
        at_least: int = 0,
        told: str = "",
        alphabet: str = "",
        **kwargs: Any,
    ) -> None:
        pattern = f"^[{alphabet}]*$" if alphabet else TYPEABLE
        about = {"description": note, "examples": [example], "pattern": pattern, **({"format": told} if told else {})}
        checks: list[Length | Regexp] = [
            Length(min=at_least or None, max=at_most, error=_length_error(at_least, at_most))
        ]
        if alphabet:
            checks.append(Regexp(rf"[{alphabet}]*\Z", error=_("There are characters in it that do not belong there.")))
        super().__init__(validate=checks, metadata=about, **kwargs)


class Choice(fields.String):
    """One of a few words."""

    default_error_messages = {**MESSAGES, "invalid": _("This is not a text.")}

    def __init__(self, choices: tuple[str, ...], error: Any, *, note: str, **kwargs: Any) -> None:
        about = {"description": note, "examples": [choices[0]]}
        super().__init__(validate=OneOf(choices, error=error), metadata=about, **kwargs)


class Credential(fields.Dict):
    """What a browser or a phone makes of a passkey (Web Authentication Level 3, section 5.1.8)."""

    default_error_messages = {**MESSAGES, "invalid": _("This is not an object.")}

    def __init__(self, *, note: str, **kwargs: Any) -> None:
        example = {"id": "AQIDBA", "rawId": "AQIDBA", "type": "public-key", "response": {}}
        super().__init__(metadata={"description": note, "examples": [example]}, **kwargs)


class Count(fields.Integer):
    """A number in an address, as one would write it: no sign, no spaces, no digits of other scripts."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not re.fullmatch(r"0|[1-9][0-9]{0,8}", str(value)):
            raise self.make_error("invalid")
        return int(value)


class Id(fields.UUID):
    """An id in an address, spelled as we spell it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> uuid.UUID:
        if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", str(value)):
            raise self.make_error("invalid_uuid")
        return uuid.UUID(value)


def _length_error(at_least: int, at_most: int) -> Any:
    if at_least:
        return _("This has %(least)d to %(most)d characters.", least=at_least, most=at_most)
    return _("This has at most %(most)d characters.", most=at_most)
