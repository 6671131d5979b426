"""The form that every form is: checks shape, and shows a service's refusal beside the field it is about."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Generic, ParamSpec, TypeVar

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import DataRequired, InputRequired, Length

from webapp.errors import DomainError
from webapp.http.words import is_told, sentence
from webapp.policy.names import LONGEST_NAME as LONGEST_NAME

LONGEST_EMAIL = 254  # octets of a mail path (RFC 5321, section 4.5.3.1.3)
LONGEST_PASSWORD = 1024  # code points taken at all; what is longer is refused before it costs a hash


P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Done(Generic[T]):
    """A service did what it was asked."""

    value: T


class Form(FlaskForm):
    """A form whose refusals are told in place."""

    # The field that a refusal is about, by the refusal's code; without an entry it is told on top of the form.
    places: ClassVar[dict[str, str]] = {}

    def showing(self, service: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Done[T] | None:
        """Call a service. A refusal that can be told beside the form is, and gives None; others go on their way."""
        try:
            return Done(service(*args, **kwargs))
        except DomainError as error:
            if not is_told(error):
                raise
            self.tell(error)
            return None

    def tell(self, error: DomainError) -> None:
        """Show a refusal at the field it is about."""
        place = self.places.get(error.code)
        told = self[place].errors if place else self.form_errors
        told.append(self.words_for(error))

    def words_for(self, error: DomainError) -> str:
        """The sentence for a refusal."""
        return sentence(error)


class Email(EmailField):
    """An e-mail field, which after validation is never empty."""

    data: str


class Password(PasswordField):
    """A password field, which after validation is never empty."""

    data: str


def email_field() -> Email:
    """An e-mail address, trimmed, of a bearable length."""
    return Email(
        validators=[
            DataRequired(_("Please enter your email address.")),
            Length(max=LONGEST_EMAIL, message=_("This is too long for an email address.")),
        ],
        filters=[_trimmed],
    )


def name_field() -> StringField:
    """A person's name, or nothing."""
    return StringField(
        validators=[Length(max=LONGEST_NAME, message=_("Please keep the name to at most 100 characters."))],
        filters=[_trimmed],
    )


def password_field() -> Password:
    """A password as it was typed: no trimming, no cutting (ASVS 6.2.8)."""
    return Password(
        validators=[
            InputRequired(_("Please enter your password.")),
            Length(max=LONGEST_PASSWORD, message=_("This is too long. A password has at most 256 characters.")),
        ]
    )


def _trimmed(value: str | None) -> str | None:
    return value.strip() if value else value
