"""Examples for the document of the API: of bodies and replies, from what their fields give; of refusals, whole."""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import Schema, fields

from webapp.http.problems import document_of, told_codes
from webapp.http.words import sentence_of

UUID_EXAMPLE: Final = "0199c0de-0000-7000-8000-00000000c0de"
NONCE_EXAMPLE: Final = "1795599000.Jm3vV0yq8pZk.5d4c1a9be27f"
TIME_EXAMPLE: Final = "2026-11-25T09:30:00+00:00"

_TOO_SHORT = "This password is too short. Please choose one of at least 15 characters. A few words will do."
# What a refusal tells beside what all tell: by its code, or by code and status where one code has two.
_MEMBERS: Final[Mapping[str | tuple[str, int], Mapping[str, Any]]] = {
    "malformed_body": {
        "why": "repeated_name",
        "errors": [{"pointer": "/email", "detail": "What was sent is not the JSON that is expected here."}],
    },
    "validation_failed": {"errors": [{"pointer": "/email", "detail": "This is missing."}]},
    "email_invalid": {
        "errors": [
            {
                "pointer": "/email",
                "detail": "We cannot send mail to this address. Please check it for typing mistakes.",
            }
        ]
    },
    "password_refused": {
        "detail": _TOO_SHORT,
        "rule": "too_short",
        "min_length": 15,
        "errors": [{"pointer": "/password", "detail": _TOO_SHORT}],
    },
    ("invalid_credentials", 403): {
        "detail": "This is not your current password.",
        "errors": [{"pointer": "/password", "detail": "This is not your current password."}],
    },
    "redirect_refused": {
        "errors": [
            {
                "parameter": "redirect_uri",
                "detail": "This is not an address that apps are sent back to from here.",
            }
        ]
    },
    "session_revoked": {"reason": "ended_by_user"},
    "mfa_required": {
        "mfa_token": "kGq0mQ9n1Zr2sT3uV4wX5yA6bC7dE8fH9iJ0kL1mN2o",
        "methods": ["totp", "recovery"],
    },
    "reauthentication_required": {"methods": ["password", "totp", "recovery"]},
    "account_deletion_pending": {
        "step_token": "kGq0mQ9n1Zr2sT3uV4wX5yA6bC7dE8fH9iJ0kL1mN2o",
        "deletion_due_at": TIME_EXAMPLE,
    },
}


def example_of_refusal(code: str, status: int, public_url: str) -> dict[str, Any]:
    """The problem document that a refusal gives."""
    members = _MEMBERS.get((code, status), _MEMBERS.get(code, {}))
    told = document_of(code, status, sentence_of(code), public_url=public_url, request_id=UUID_EXAMPLE)
    return {**told, **members}


def name_of_refusal(code: str, status: int) -> str:
    """What its example is called in the document."""
    return code if told_codes()[code] == status else f"{code}_{status}"


def example_of(schema: Schema) -> Any:
    """What `schema` takes or gives, by the examples of its fields."""
    example = {
        field.data_key or name: example_of(field.schema) if isinstance(field, fields.Nested) else _example_of(field)
        for name, field in schema.fields.items()
        if isinstance(field, fields.Nested | fields.List) or "examples" in field.metadata
    }
    return [example] if schema.many else example


def _example_of(field: fields.Field[Any]) -> Any:
    if isinstance(field, fields.List) and isinstance(field.inner, fields.Nested):
        return [example_of(field.inner.schema)]
    return field.metadata["examples"][0]
