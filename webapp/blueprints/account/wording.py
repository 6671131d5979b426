"""The security log in plain words."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext, lazy_gettext, ngettext

from webapp.services.identities import label_of

SENTENCES = {
    "registered": lazy_gettext("The account was created."),
    "email_confirmed": lazy_gettext("The email address was confirmed."),
    "signed_in": lazy_gettext("Signed in."),
    "signed_out": lazy_gettext("Signed out."),
    "guessing_slowed": lazy_gettext("A wrong password was entered so often that further tries had to wait."),
    "reauthenticated": lazy_gettext("You proved again who you are, before a change."),
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
    "address_taken_over": lazy_gettext(
        "An earlier account with this address, which nobody had confirmed, was removed."
    ),
    "factor_added": lazy_gettext("A second factor was set up."),
    "factor_removed": lazy_gettext("A second factor was removed."),
    "factors_reset": lazy_gettext("We removed the second factors, because they were lost."),
    "recovery_codes_made": lazy_gettext("New recovery codes were made; the old ones are void."),
    "recovery_code_used": lazy_gettext("A recovery code was used."),
    "second_factor_slowed": lazy_gettext(
        "After the first step of signing in, wrong codes were entered so often that further tries had to wait."
    ),
    "sign_in_mailed": lazy_gettext("Somebody asked for a mail to sign in with."),
    "disabled": lazy_gettext("We closed the account."),
    "enabled": lazy_gettext("We opened the account again."),
}
# Where a provider has to do with it, by the name it had then.
WITH_PROVIDER = {
    "registered": lazy_gettext("The account was created by signing in with %(provider)s."),
    "reauthenticated": lazy_gettext("You proved again with %(provider)s who you are, before a change."),
    "identity_linked": lazy_gettext("%(provider)s was connected."),
    "identity_unlinked": lazy_gettext("%(provider)s was disconnected."),
    "provider_ended_sessions": lazy_gettext("%(provider)s told us of a danger, so devices were signed out."),
    "provider_blocked": lazy_gettext("%(provider)s told us that somebody else may use your account there."),
    "provider_unblocked": lazy_gettext("%(provider)s told us that your account there is safe again."),
    "provider_warned": lazy_gettext("%(provider)s asks you to change how you sign in there."),
}
_METHODS = {
    "pwd": lazy_gettext("Signed in with the password."),
    "email": lazy_gettext("Signed in with a mailed link."),
    "hwk": lazy_gettext("Signed in with a passkey."),
    "swk": lazy_gettext("Signed in with a passkey."),
}
_PASSKEYS = ("hwk", "swk")


def event_sentence(kind: str, details: Mapping[str, Any]) -> str:
    """One event as a sentence for the account's owner."""
    if kind == "signed_in":
        return _signed_in(str(details.get("methods", "")).split())
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
    if kind in WITH_PROVIDER and details.get("provider"):
        return str(WITH_PROVIDER[kind]) % {"provider": details["provider"]}
    return str(SENTENCES[kind]) if kind in SENTENCES else gettext("Something happened that this page cannot name.")


def _signed_in(methods: list[str]) -> str:
    """How a sign-in was proven: by its first factor, and whether there was another."""
    if not methods:
        return str(SENTENCES["signed_in"])
    first = methods[0]
    told = _METHODS.get(first) or gettext("Signed in with %(provider)s.", provider=label_of(first))
    if "mfa" not in methods or first in _PASSKEYS:
        return str(told)
    too = gettext("A second factor was shown, too.")
    return f"{told} {too}"
