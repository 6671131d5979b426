"""The security log in plain words."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext, lazy_gettext, ngettext

SENTENCES = {
    "registered": lazy_gettext("The account was created."),
    "email_confirmed": lazy_gettext("The email address was confirmed."),
    "signed_in": lazy_gettext("Signed in."),
    "signed_out": lazy_gettext("Signed out."),
    "guessing_slowed": lazy_gettext("A wrong password was entered so often that further tries had to wait."),
    "reauthenticated": lazy_gettext("The password was entered again before a change."),
    "session_ended": lazy_gettext("Another device was signed out."),
    "password_changed": lazy_gettext("The password was changed."),
    "password_reset_requested": lazy_gettext("Somebody asked for a link to choose a new password."),
    "password_reset": lazy_gettext("A new password was chosen with a mailed link, and every device was signed out."),
    "email_change_requested": lazy_gettext("Somebody asked to change the email address."),
    "email_changed": lazy_gettext("The email address was changed."),
    "email_restored": lazy_gettext("The change of the email address was undone, and every device was signed out."),
    "not_me": lazy_gettext("You told us about something you did not do, and every device was signed out."),
    "data_exported": lazy_gettext("The data of the account was downloaded."),
    "deletion_scheduled": lazy_gettext("Somebody asked to delete the account."),
    "deletion_cancelled": lazy_gettext("The account was kept; it will not be deleted."),
    "refresh_reused": lazy_gettext("An app was signed out: an old token of it was used again, as after a theft."),
    "disabled": lazy_gettext("We closed the account."),
    "enabled": lazy_gettext("We opened the account again."),
}
_METHODS = {"pwd": lazy_gettext("Signed in with the password."), "email": lazy_gettext("Signed in with a mailed link.")}


def event_sentence(kind: str, details: Mapping[str, Any]) -> str:
    """One event as a sentence for the account's owner."""
    if kind == "signed_in":
        return str(_METHODS.get(details.get("methods", ""), SENTENCES[kind]))
    if kind in ("other_sessions_ended", "signed_out_by_operator"):
        count = int(details.get("count", 0))
        told: str = ngettext("%(num)d device was signed out.", "%(num)d devices were signed out.", count)
        return told
    if kind == "refresh_reused" and details.get("app"):
        named: str = gettext(
            "The app %(app)s was signed out: an old token of it was used again, as after a theft.",
            app=details["app"],
        )
        return named
    return str(SENTENCES[kind]) if kind in SENTENCES else gettext("Something happened that this page cannot name.")
