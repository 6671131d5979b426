"""What the pages between two accounts ask for. Shape only: meaning is the services'."""

from flask_babel import gettext
from wtforms import HiddenField

from webapp.errors import DomainError
from webapp.http.forms import Form, password_field
from webapp.http.words import sentence


class StartForm(Form):
    """A button that leads to a provider."""

    next = HiddenField()
    choose = HiddenField()  # the provider is to ask which account it shall be, after another went wrong


class ConnectForm(Form):
    """The password of the account that is there already."""

    places = {"invalid_credentials": "password"}

    password = password_field()

    def words_for(self, error: DomainError) -> str:
        """The account is known; only the password can be wrong."""
        if error.code == "invalid_credentials":
            return str(gettext("This is not the password of that account."))
        return sentence(error)


class ConfirmForm(Form):
    """One press of a button."""
