"""What the account pages ask for. Shape only: meaning is the services'."""

from flask_babel import lazy_gettext as _
from wtforms import HiddenField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import DataRequired

from webapp.errors import DomainError
from webapp.http.forms import Form, email_field, name_field, password_field
from webapp.http.words import wrong_current_password


class ProfileForm(Form):
    """Name and language."""

    name = name_field()
    locale = SelectField(choices=[SelectChoice("en", "English"), SelectChoice("ko", "한국어")])


class PasswordForm(Form):
    """The password now, and the one to come."""

    places = {"invalid_credentials": "current_password", "password_refused": "new_password"}

    current_password = password_field()
    new_password = password_field()

    def words_for(self, error: DomainError) -> str:
        """The person is known; only the password can be wrong."""
        return wrong_current_password(error)


class FirstPasswordForm(Form):
    """A password, where there was none."""

    places = {"password_refused": "new_password"}

    new_password = password_field()


class EmailForm(Form):
    """The address to come."""

    places = {"email_invalid": "email", "email_unchanged": "email"}

    email = email_field()


class CodeForm(Form):
    """A code of an authenticator app."""

    places = {"factor_refused": "code"}

    code = StringField(validators=[DataRequired(_("Please enter the code."))])


class NewPasskeyForm(Form):
    """A passkey that the browser has made."""

    credential = HiddenField()
    name = name_field()


class PasskeyNameForm(Form):
    """What a passkey is called."""

    name = name_field()


class ConfirmForm(Form):
    """One press of a button."""
