"""The words and fields of the app in the browser, which its script puts to use."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext
from wtforms import Form

from webapp.http.forms import email_field, password_field
from webapp.http.words import END_REASONS, sentence_of

_CODES = ("session_revoked", "refresh_reused")


class SignInFields(Form):
    """What the app asks for. Its script sends it to the API; no page of the site ever takes it."""

    email = email_field()
    password = password_field()


def endings() -> Mapping[str, Any]:
    """What to tell of each reason for which a session ends, be it a code of the API or what the API adds to it."""
    return {
        **{code: sentence_of(code) for code in _CODES},
        **END_REASONS,
        "signed_out": gettext("You signed out."),
        "token_expired": END_REASONS["expired"],
        "token_invalid": gettext("You were signed out because this browser has lost its cookie."),
    }
