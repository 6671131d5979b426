"""What the doors ask for. Shape only: meaning is the services'."""

from flask_babel import lazy_gettext as _
from wtforms import BooleanField, HiddenField, StringField
from wtforms.validators import DataRequired

from webapp.errors import DomainError
from webapp.http.credentials import CodeOrPasskeyForm
from webapp.http.forms import Form, email_field, name_field, password_field
from webapp.http.words import wrong_current_password


class RegisterForm(Form):
    """A new account."""

    places = {"email_invalid": "email", "password_refused": "password"}

    name = name_field()
    email = email_field()
    password = password_field()


class LoginForm(Form):
    """Address and password."""

    email = email_field()
    password = password_field()
    remember = BooleanField()
    next = HiddenField()


class ReauthenticateForm(Form):
    """The password once more."""

    places = {"invalid_credentials": "password"}

    password = password_field()
    next = HiddenField()

    def words_for(self, error: DomainError) -> str:
        """The person is known; only the password can be wrong."""
        return wrong_current_password(error)


class PasskeyForm(Form):
    """What a passkey signed, to sign in or to prove again who one is."""

    credential = HiddenField()
    next = HiddenField()


class SecondFactorForm(CodeOrPasskeyForm):
    """The second factor, and whether to ask for it in this browser again."""

    places = {"factor_refused": "code"}

    trust = BooleanField()


class ReauthenticateFactorForm(CodeOrPasskeyForm):
    """The second factor once more."""

    places = {"factor_refused": "code"}

    next = HiddenField()


class MailedCodeForm(Form):
    """The code of a mail."""

    places = {"factor_refused": "code"}

    code = StringField(validators=[DataRequired(_("Please enter the code."))])


class ForgotPasswordForm(Form):
    """The address to send a link to."""

    email = email_field()


class ResetPasswordForm(Form):
    """A new password."""

    places = {"password_refused": "password"}

    password = password_field()


class ConfirmForm(Form):
    """One press of a button."""
