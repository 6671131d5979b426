"""What people are told: one sentence for every code a service may refuse with, and for every way a session ends."""

from flask_babel import lazy_gettext, ngettext

from webapp.errors import DomainError, PasswordRefused

END_REASONS = {
    "replaced": lazy_gettext("You signed in anew on this browser, so the earlier session was ended."),
    "ended_by_user": lazy_gettext("This browser was signed out from another device."),
    "password_changed": lazy_gettext("Your password was changed, so this browser was signed out."),
    "password_reset": lazy_gettext("Your password was set anew, so this browser was signed out."),
    "email_restored": lazy_gettext("The change of your email address was undone, so this browser was signed out."),
    "not_me": lazy_gettext("You told us that something was not you, so every browser was signed out."),
    "deletion": lazy_gettext("Your account waits to be deleted, so every browser was signed out."),
    "disabled": lazy_gettext("This account is closed. Please write to us if that is a mistake."),
    "operator": lazy_gettext("We signed this browser out. Please sign in again."),
    "too_many": lazy_gettext("You were signed in in many places, so the one unused for longest was signed out."),
    "idle": lazy_gettext("You were signed out because this browser was not used for a while."),
    "expired": lazy_gettext("You were signed out because your sign-in was a while ago."),
}

_SENTENCES = {
    "invalid_credentials": lazy_gettext("The email address or the password is not right."),
    "email_unverified": lazy_gettext("Please confirm your email address first. We have sent you a new link."),
    "account_disabled": lazy_gettext("This account is closed. Please write to us if that is a mistake."),
    "password_blocked": lazy_gettext(
        "This password works no more, because its account was reported. We have sent a link to choose a new one."
    ),
    "email_invalid": lazy_gettext("This is not an email address we can write to. Is there a typing mistake in it?"),
    "sign_in_expired": lazy_gettext("That took too long. Please sign in again."),
}
_PASSWORD_RULES = {
    "too_long": lazy_gettext("This password is too long. Please choose one of at most 256 characters."),
    "breached": lazy_gettext(
        "This password is in lists that attackers use. Please choose another, such as four or five unrelated words."
    ),
    "about_you": lazy_gettext(
        "This password is your name or address, or close to it. Please choose something nobody would guess of you."
    ),
    "about_site": lazy_gettext("This password is the name of this site, or close to it. Please choose another."),
    "expected": lazy_gettext(
        "This password is a simple pattern that is tried first. Please choose another, such as four or five words."
    ),
    "not_text": lazy_gettext("This password has characters in it that nobody can type. Please choose another."),
    "unchanged": lazy_gettext("This is the password you have now. Please choose another."),
}
_WRONG_CURRENT = lazy_gettext("This is not your current password.")


def sentence(error: DomainError) -> str:
    """What to tell the person whom a service refused, in their language, with what to do next."""
    if isinstance(error, PasswordRefused):
        return _password_sentence(error)
    return str(_SENTENCES[error.code])


def is_told(error: DomainError) -> bool:
    """Whether this refusal is told beside a form; others have pages of their own."""
    return isinstance(error, PasswordRefused) or error.code in _SENTENCES


def wrong_current_password(error: DomainError) -> str:
    """As `sentence`, where the person is known and only the password can be wrong."""
    return str(_WRONG_CURRENT) if error.code == "invalid_credentials" else sentence(error)


def _password_sentence(error: PasswordRefused) -> str:
    if error.rule == "too_short":
        least = int(str(error.details["min_length"]))
        told: str = ngettext(
            "This password is too short. Please choose one of at least %(num)d character.",
            "This password is too short. Please choose one of at least %(num)d characters: a few words do.",
            least,
        )
        return told
    return str(_PASSWORD_RULES[error.rule])
