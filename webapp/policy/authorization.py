"""Sending somebody to an OpenID provider and taking them back: for how long, for what, and where apps may be sent."""

from collections.abc import Collection
from datetime import timedelta
from enum import StrEnum, auto
from urllib.parse import urlsplit

REQUEST_LIFE = timedelta(minutes=10)  # of an authorization request
MOST_A_BROWSER = 3  # requests under way: several tabs work, abandoned ones do not pile up
NONCE_LIFE = timedelta(minutes=5)  # of a nonce for an app's own ID token
LONGEST_NEXT = 2000  # characters of a path to go on to

_LOOPBACK = frozenset({"127.0.0.1", "::1"})  # not "localhost", which a machine may send elsewhere (RFC 8252, 8.3)


class Intent(StrEnum):
    """What somebody was sent to the provider for."""

    SIGN_IN = auto()
    LINK = auto()
    REAUTHENTICATE = auto()
    APP = auto()  # an app waits for a code of ours


def is_allowed_redirect(uri: str, allowed: Collection[str]) -> bool:
    """Whether an app may be sent back there: letter by letter (RFC 9700, section 2.1), but for the port of a loopback
    address, which the system chooses (RFC 8252, section 7.3).
    """
    if uri in allowed:
        return True
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK or port is None or "@" in parts.netloc:
        return False
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    without_port = uri.replace(f"//{host}:{port}", f"//{host}", 1)
    return without_port != uri and without_port in allowed
