"""E-mail addresses: what a person types, what we write to, and how we compare."""

import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from webapp.errors import EmailInvalid
from webapp.models.user import EMAIL_LENGTH
from webapp.services.runtime import runtime


@dataclass(frozen=True)
class Address:
    """An address that mail can be sent to, and the key that decides whether two are the same."""

    email: str
    key: str


def parse_address(text: str) -> Address:
    """Read an address. Raises EmailInvalid."""
    try:
        # Names such as example.test are for trying things out, and nobody can own them: not in production.
        checked = validate_email(
            text.strip(),
            check_deliverability=False,
            globally_deliverable=runtime().settings.APP_ENV == "production",
            test_environment=runtime().settings.APP_ENV != "production",
        )
    except (EmailNotValidError, ValueError):
        raise EmailInvalid from None
    if len(checked.normalized.encode()) > EMAIL_LENGTH:
        raise EmailInvalid
    return Address(email=checked.normalized, key=address_key(checked.normalized))


def address_key(text: str) -> str:
    """The key under which an address is looked up. Mail always goes to the stored address, never to what was typed:
    two spellings that fold to one key must not let one person receive the other's links.
    """
    return unicodedata.normalize("NFKC", text.strip()).casefold()[:EMAIL_LENGTH]


def masked(email: str) -> str:
    """Enough of an address for its owner to know it again."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"
