"""What the API takes. Shape only: meaning is the services'. Whatever is not named here is refused."""

from typing import Any

from flask_babel import lazy_gettext as _
from marshmallow import RAISE, Schema, fields
from marshmallow.validate import Length, OneOf, Range

from webapp.http.forms import LONGEST_EMAIL, LONGEST_NAME, LONGEST_PASSWORD
from webapp.http.locale import LOCALES

LONGEST_TOKEN = 2048  # characters
_MESSAGES = {
    "required": _("This is missing."),
    "null": _("This may not be null."),
    "validator_failed": _("This value does not fit."),
    "invalid": _("This is not the kind of value that belongs here."),
}


class Strict(Schema):
    """A body that holds what is named and nothing else (ASVS 15.3.3)."""

    class Meta:
        unknown = RAISE

    error_messages = {
        "unknown": _("There is no such field here."),
        "type": _("This is not an object."),
    }


class Text(fields.String):
    """A text of a bearable length, `at most` in code points."""

    default_error_messages = {**_MESSAGES, "invalid": _("This is not a text.")}

    def __init__(self, at_most: int, *, example: str = "", note: str = "", at_least: int = 0, **kwargs: Any) -> None:
        about = {**({"description": note} if note else {}), **({"examples": [example]} if example else {})}
        rules = [Length(min=at_least or None, max=at_most, error=_length_error(at_least, at_most))]
        super().__init__(validate=[*rules, *kwargs.pop("validate", [])], metadata=about, **kwargs)


def _length_error(at_least: int, at_most: int) -> Any:
    if at_least:
        return _("This has %(least)d to %(most)d characters.", least=at_least, most=at_most)
    return _("This has at most %(most)d characters.", most=at_most)


def _email() -> Text:
    return Text(LONGEST_EMAIL, at_least=1, required=True, example="alice@example.com", note="An email address.")


def _password(note: str) -> Text:
    return Text(LONGEST_PASSWORD, at_least=1, required=True, example="seven quiet otters crossing", note=note)


def _device_name() -> Text:
    return Text(LONGEST_NAME, example="Alice's phone", note="What the app calls this device in the list of sessions.")


def _transport() -> Text:
    return Text(
        8,
        example="body",
        note='Where the refresh token travels: "body", or "cookie" for apps in a browser.',
        load_default="body",
        validate=[OneOf(("body", "cookie"), error=_("This is one of: body, cookie."))],
    )


class RegisterBody(Strict):
    """A new account."""

    email = _email()
    password = _password("The password to sign in with.")
    name = Text(LONGEST_NAME, example="Alice", note="What the person is called.", load_default="")


class TokenBody(Strict):
    """A mailed link's token."""

    token = Text(LONGEST_TOKEN, at_least=1, required=True, note="The last part of the address in the mail.")


class EmailBody(Strict):
    """An address."""

    email = _email()


class ResetBody(TokenBody):
    """A new password, by a mailed link."""

    password = _password("The new password.")


class LoginBody(Strict):
    """Address and password."""

    email = _email()
    password = _password("The password.")
    device_name = _device_name()
    refresh_transport = _transport()


class StepBody(Strict):
    """A sign-in that waits for its next step."""

    step_token = Text(LONGEST_TOKEN, at_least=1, required=True, note="As it came with account_deletion_pending.")


class RefreshBody(Strict):
    """The refresh token, unless it comes in the cookie."""

    refresh_token = Text(LONGEST_TOKEN, at_least=1, note="The newest refresh token there is.")


class ProfileBody(Strict):
    """What is to change; what is left out stays."""

    name = Text(LONGEST_NAME, example="Alice")
    locale = Text(
        8,
        example="en",
        note="The language of mails and pages.",
        validate=[OneOf(LOCALES, error=_("This is one of: en, ko."))],
    )


class NewPasswordBody(Strict):
    """The password now, and the one to come."""

    current_password = _password("The present password.")
    new_password = _password("The new one.")


class DeletionBody(Strict):
    """The password, where the sign-in is older than ten minutes."""

    password = Text(LONGEST_PASSWORD, at_least=1, note="Needed where the sign-in is older than ten minutes.")


class EventsQuery(Schema):
    """Which page of events."""

    before = fields.UUID(
        metadata={"description": "Go on after this one: `next` of the page before."},
        error_messages={"invalid_uuid": _("This is not the id of an event.")},
    )
    limit = fields.Integer(
        load_default=20,
        validate=Range(1, 100, error=_("This is a number from 1 to 100.")),
        metadata={"description": "How many, at most."},
        error_messages={"invalid": _("This is a number from 1 to 100.")},
    )
