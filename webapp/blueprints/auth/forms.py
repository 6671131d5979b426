"""What the doors ask for. Shape only: meaning is the services'."""

from wtforms import BooleanField, HiddenField

from webapp.errors import DomainError
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


class ForgotPasswordForm(Form):
    """The address to send a link to."""

    email = email_field()


class ResetPasswordForm(Form):
    """A new password."""

    places = {"password_refused": "password"}

    password = password_field()


class ConfirmForm(Form):
    """One press of a button."""
