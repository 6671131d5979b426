"""Addresses that mails carry. A test holds each against the routes."""

from webapp.services.runtime import runtime

SIGN_IN = "/login"
FORGOT_PASSWORD = "/password/forgot"
ACTIVITY = "/account/activity"
CONNECTIONS = "/account/connections"
SECURITY = "/account/security"
MAILED_SIGN_IN = "/login/mailed/"
CONFIRM_EMAIL = "/verify-email/"
RESET_PASSWORD = "/password/reset/"
CONFIRM_NEW_EMAIL = "/email/confirm/"
UNDO_EMAIL_CHANGE = "/email/undo/"


def link(path: str, token: str = "") -> str:
    """The absolute address of `path`. It comes from PUBLIC_URL, never from a request's Host header."""
    return f"{runtime().settings.PUBLIC_URL}{path}{token}"
