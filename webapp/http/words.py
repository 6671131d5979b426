"""What people are told: one sentence for every code a service may refuse with, and for every way a session ends."""

from flask_babel import lazy_gettext, ngettext

from webapp.errors import DomainError, PasswordRefused

END_REASONS = {
    "replaced": lazy_gettext("You signed in again in this browser, so the earlier sign-in was ended."),
    "ended_by_user": lazy_gettext("This browser was signed out from another device."),
    "password_changed": lazy_gettext("Your password was changed, so this browser was signed out."),
    "password_reset": lazy_gettext("A new password was chosen, so this browser was signed out."),
    "email_restored": lazy_gettext("The change of your email address was undone, so this browser was signed out."),
    "not_me": lazy_gettext("You told us about something you did not do, so every device was signed out."),
    "deletion": lazy_gettext("Your account will be deleted, so every device was signed out. Sign in to keep it."),
    "disabled": lazy_gettext("This account is closed. If you think that is a mistake, please contact us."),
    "operator": lazy_gettext("We signed this browser out. Please sign in again."),
    "too_many": lazy_gettext("You were signed in on very many devices, so the one unused for longest was signed out."),
    "identity_unlinked": lazy_gettext("The account you signed in with was disconnected, so you were signed out."),
    "provider_alert": lazy_gettext(
        "The provider that you sign in with told us of a danger to your account there, so you were signed out."
    ),
    "factor_changed": lazy_gettext("Your second factor was changed, so you were signed out."),
    "code_reused": lazy_gettext("The code that began this sign-in came back a second time, so it was ended."),
    "idle": lazy_gettext("You were signed out because this browser was not used for a while."),
    "expired": lazy_gettext("You were signed out because you had been signed in for a long time."),
}

# What the next page has to say of something that happened elsewhere.
WARNINGS = {
    "provider_warned": lazy_gettext(
        "A provider that you sign in with asks you to change how you sign in there. Activity shows what happened."
    ),
    "refresh_reused": lazy_gettext(
        "An app was signed out: an old token of it was used again, as after a theft. Activity shows what happened."
    ),
}

_SENTENCES = {
    "invalid_credentials": lazy_gettext("The email address or the password is not right."),
    "email_unverified": lazy_gettext("Please confirm your email address first. The newest link we mailed you does it."),
    "account_disabled": lazy_gettext("This account is closed. If you think that is a mistake, please contact us."),
    "password_blocked": lazy_gettext(
        "This password no longer opens the account. Please choose a new one with the newest link we mailed you."
    ),
    "email_invalid": lazy_gettext("We cannot send mail to this address. Please check it for typing mistakes."),
    "email_unchanged": lazy_gettext("This is the address you have now."),
    "sign_in_expired": lazy_gettext("That took too long. Please sign in again."),
    "last_way_in": lazy_gettext(
        "This is the only way to sign in to your account. Choose a password first, or connect another account."
    ),
    "provider_unavailable": lazy_gettext(
        "The provider you wanted to sign in with does not answer. Please try again in a few minutes, or sign in "
        "another way."
    ),
    "provider_answer_refused": lazy_gettext(
        "What the provider said about you could not be accepted. Please try again."
    ),
    "provider_email_unverified": lazy_gettext(
        "The provider has not confirmed your email address. Please confirm it there, or create an account here."
    ),
    "provider_proof_too_old": lazy_gettext(
        "The provider did not tell us that you have just signed in there. Please use another way to go on."
    ),
    "account_exists": lazy_gettext(
        "There is an account with this address already. Please sign in to it as you did before; then you can connect "
        "the two in your account."
    ),
    "identity_tied": lazy_gettext(
        "The account with this address is connected to another account of the same provider. Please sign in another "
        "way."
    ),
    "identity_elsewhere": lazy_gettext("This is not the account that is connected here. Please choose the other one."),
    "identity_blocked": lazy_gettext(
        "The provider told us that somebody else may be using your account there. Please sign in another way."
    ),
    "authorization_expired": lazy_gettext("This sign-in has ended or began elsewhere. Please begin again."),
    "authorization_denied": lazy_gettext("You did not go on at the provider, so nothing was done."),
    "factor_refused": lazy_gettext("This code is not right, or was used before. Please try the newest one."),
    "mfa_setup_required": lazy_gettext(
        "A second factor is needed here, and your account has none yet. Please sign in on the website to set it up."
    ),
    "passkey_refused": lazy_gettext("That passkey did not work here. Please try again, or sign in another way."),
    "passkey_known": lazy_gettext("This passkey is in the list already."),
    "too_many_passkeys": lazy_gettext("There are as many passkeys as an account can have. Please remove one first."),
    "last_factor": lazy_gettext(
        "A second factor is needed here. Please set another one up before you remove this one."
    ),
}
# What only apps are told; people see a page.
_APP_SENTENCES = {
    "mfa_required": lazy_gettext("Please show your second factor, too."),
    "account_deletion_pending": lazy_gettext("This account will be deleted. You can keep it now, or sign in later."),
    "token_missing": lazy_gettext("Please sign in first: this needs an access token."),
    "token_invalid": lazy_gettext("This token is not valid here."),
    "token_expired": lazy_gettext("This token has expired."),
    "session_revoked": lazy_gettext("You were signed out. Please sign in again."),
    "password_refused": lazy_gettext("This password may not be used. Please choose another."),
    "malformed_body": lazy_gettext("What was sent is not the JSON that is expected here."),
    "unsupported_media_type": lazy_gettext("Please send JSON in UTF-8, as application/json."),
    "validation_failed": lazy_gettext("Some of the values do not fit. The list of errors says which."),
    "redirect_refused": lazy_gettext("This is not an address that apps are sent back to from here."),
    "origin_refused": lazy_gettext("This request came from a site that may not send it."),
    "link_invalid": lazy_gettext("This link opens nothing. Was it copied whole?"),
    "link_expired": lazy_gettext("This link has expired."),
    "link_used": lazy_gettext("This link has been used before."),
    "link_replaced": lazy_gettext("There is a newer link than this, or it is no longer needed."),
    "reauthentication_required": lazy_gettext("Please prove again who you are: your sign-in is too old for this."),
    "code_invalid": lazy_gettext("This code is not valid here, or no more. Please begin the sign-in again."),
    "refresh_reused": lazy_gettext("An old token of this sign-in was used again, as after a theft, so it was ended."),
    "bad_request": lazy_gettext("This request is not one that can be answered."),
    "forbidden": lazy_gettext("This is not allowed."),
    "not_found": lazy_gettext("There is nothing here."),
    "method_not_allowed": lazy_gettext("This address does not take that method."),
    "body_too_long": lazy_gettext("This is too long."),
    "too_many_attempts": lazy_gettext("That was tried too often. Please wait as long as Retry-After says."),
    "internal_error": lazy_gettext("Something broke on our side. Please try again in a minute."),
    "store_unavailable": lazy_gettext(
        "We cannot do that at the moment. Nothing was changed; please try again shortly."
    ),
    "busy": lazy_gettext("There is too much to do at the moment. Nothing was changed; please try again shortly."),
}
# Why an app was signed out, where that is known.
_APP_ENDINGS = {
    "ended_by_user": lazy_gettext("This app was signed out from another device."),
    "password_changed": lazy_gettext("Your password was changed, so this app was signed out."),
    "password_reset": lazy_gettext("A new password was chosen, so this app was signed out."),
    "email_restored": lazy_gettext("The change of your email address was undone, so this app was signed out."),
    "not_me": lazy_gettext("You told us about something you did not do, so every device was signed out."),
    "deletion": lazy_gettext("Your account will be deleted, so every device was signed out. Sign in to keep it."),
    "disabled": lazy_gettext("This account is closed. If you think that is a mistake, please contact us."),
    "operator": lazy_gettext("We signed this app out. Please sign in again."),
    "too_many": lazy_gettext("You were signed in on very many devices, so the one unused for longest was signed out."),
    "identity_unlinked": lazy_gettext(
        "The account that you signed in with was disconnected, so this app was signed out."
    ),
    "provider_alert": END_REASONS["provider_alert"],
    "factor_changed": END_REASONS["factor_changed"],
    "code_reused": END_REASONS["code_reused"],
    "refresh_reused": _APP_SENTENCES["refresh_reused"],
}
_PASSWORD_RULES = {
    "too_long": lazy_gettext("This password is too long. Please choose one of at most 256 characters."),
    "breached": lazy_gettext(
        "This password is on lists that attackers use. Please choose another, such as four or five unrelated words."
    ),
    "about_you": lazy_gettext(
        "This password is your name or address, or close to it. Please choose another that nobody would guess."
    ),
    "about_site": lazy_gettext("This password is the name of this site, or close to it. Please choose another."),
    "expected": lazy_gettext(
        "This password is a simple pattern that attackers try early. Please choose another, such as four or five words."
    ),
    "not_text": lazy_gettext("This password has characters in it that cannot be typed. Please choose another."),
    "unchanged": lazy_gettext("This is the password you have now. Please choose another."),
}
_WRONG_CURRENT = lazy_gettext("This is not your current password.")


def sentence(error: DomainError) -> str:
    """What to tell the person whom a service refused, in their language, with what to do next."""
    if isinstance(error, PasswordRefused):
        return _password_sentence(error)
    if error.code == "session_revoked" and (why := _APP_ENDINGS.get(str(error.details.get("reason")))):
        return str(why)
    return sentence_of(error.code)


def sentence_of(code: str) -> str:
    """What to tell of a code, where no more is known."""
    return str(_APP_SENTENCES.get(code) or _SENTENCES[code])


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
            "This password is too short. Please choose one of at least %(num)d characters. A few words will do.",
            least,
        )
        return told
    return str(_PASSWORD_RULES[error.rule])
