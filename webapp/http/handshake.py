"""The cookies of somebody who is on their way back, from an OpenID provider or from their mailbox: which browser left,
which offer to link it holds, and in which a mail to sign in with was asked for.

None says who is signed in. SameSite=Lax, because the way back is a link on another site, and browsers send no Strict
cookie along with one.
"""

import re
from datetime import timedelta

from flask import current_app, request

from webapp.http.own_cookies import set_own_cookie
from webapp.policy.authorization import REQUEST_LIFE

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_BROWSER, _OFFER, _MAIL = "handshake", "link-offer", "mailed-sign-in"


def browser_secret() -> str | None:
    """What this browser was given when it last left for a provider."""
    return _read(_BROWSER)


def keep_browser_secret(secret: str) -> None:
    """Have the browser keep it until it is back."""
    _set(_BROWSER, secret, REQUEST_LIFE)


def offer_handle() -> str | None:
    """The handle of the offer that this browser holds."""
    return _read(_OFFER)


def keep_offer(handle: str) -> None:
    """Have the browser keep an offer to link two accounts while its person signs in to the one that was there."""
    _set(_OFFER, handle, REQUEST_LIFE)


def forget_offer() -> None:
    """Take the offer from the browser."""
    _set(_OFFER, "", timedelta(0))


def mail_secret() -> str | None:
    """What this browser was given when a mail to sign in with was asked for in it."""
    return _read(_MAIL)


def keep_mail_secret(secret: str) -> None:
    """Have the browser keep it: the mail's link and code work only with it."""
    _set(_MAIL, secret, REQUEST_LIFE)


def handshake_cookie_names(is_https: bool) -> tuple[str, str, str]:
    """What they are called."""
    prefix = "__Host-" if is_https else ""
    return prefix + _BROWSER, prefix + _OFFER, prefix + _MAIL


def _name(name: str) -> str:
    return f"__Host-{name}" if current_app.config["SESSION_COOKIE_SECURE"] else name


def _read(name: str) -> str | None:
    values = request.cookies.getlist(_name(name))
    return values[0] if len(values) == 1 and _SECRET.fullmatch(values[0]) else None


def _set(name: str, value: str, life: timedelta) -> None:
    set_own_cookie(_name(name), value, life)
