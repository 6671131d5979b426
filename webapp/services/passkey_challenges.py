"""What passkeys are asked to sign: challenges of ours, each for one purpose, good once and for five minutes.

A challenge is authenticated, not stored: asking for one costs no row. It says for what it is and who asked, so that
what was signed for one thing, or in one browser, proves nothing elsewhere (ASVS 6.7.2).
"""

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from webauthn.helpers.exceptions import WebAuthnException

from webapp import clock
from webapp.errors import PasskeyRefused
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security
from webapp.services.spent_values import spend

CHALLENGE_LIFE = timedelta(minutes=5)
RANDOM_BYTES = 16
_TIME_BYTES, _MAC_BYTES = 8, 32
_LONGEST = 8192  # characters of one member
# What a library raises over what is no credential.
MALFORMED = (
    WebAuthnException,
    UnsupportedAlgorithm,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


def for_sign_in(browser: str | None) -> str:
    """To sign in, or to prove again who one is: in the browser that asked, or in an app, which has no such secret."""
    return "sign in by an app" if browser is None else f"sign in from {browser}"


def for_second_factor(user_id: uuid.UUID) -> str:
    """After the first factor of a user."""
    return f"second factor of {user_id}"


def for_registration(login_session_id: uuid.UUID) -> str:
    """To add a passkey, in the session that asked."""
    return f"register in {login_session_id}"


def new_challenge(purpose: str) -> bytes:
    """A challenge for one purpose, good for five minutes."""
    until = int((clock.now() + CHALLENGE_LIFE).timestamp())
    text = secrets.token_bytes(RANDOM_BYTES) + until.to_bytes(_TIME_BYTES, "big")
    return text + _mac(_keys()[0], purpose, text)


def challenge_of(credential: Mapping[str, Any], purpose: str) -> bytes:
    """The challenge that a credential answers, where it is ours, for this purpose, not too old, and was asked by a page
    of ours itself, in no frame (WebAuthn, sections 7.1 and 7.2). Raises PasskeyRefused.
    """
    try:
        client_data = json.loads(decoded(credential["response"]["clientDataJSON"]))
        challenge = decoded(client_data["challenge"])
        framed = client_data.get("crossOrigin", False) is not False or "topOrigin" in client_data
    except MALFORMED:
        raise refused("client_data") from None
    if framed:  # the library does not look
        raise refused("cross_origin")
    text, mac = challenge[:-_MAC_BYTES], challenge[-_MAC_BYTES:]
    is_ours = any(hmac.compare_digest(_mac(key, purpose, text), mac) for key in _keys())
    if not is_ours or clock.now().timestamp() >= int.from_bytes(text[RANDOM_BYTES:], "big"):
        raise refused("challenge")
    return challenge


def spend_challenge(tx: Session, challenge: bytes) -> None:
    """Use a challenge up. Raises PasskeyRefused where it was."""
    try:
        spend(tx, "passkey challenge", encoded(challenge), CHALLENGE_LIFE)
    except IntegrityError:
        raise refused("replayed") from None


def refused(reason: str, user_id: uuid.UUID | None = None) -> PasskeyRefused:
    """The refusal to raise. Why is for the log; the answer is the same for all."""
    log_security("passkey_refused", reason=reason, user_id=user_id)
    return PasskeyRefused()


def encoded(value: bytes) -> str:
    """base64url without padding, as browsers write it."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def decoded(value: str) -> bytes:
    """The other way round, strictly. Raises ValueError or TypeError."""
    if len(value) > _LONGEST or "=" in value:
        raise ValueError("not base64url of a bearable length")
    return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)


def _keys() -> list[bytes]:
    return list(runtime().sealer.mac_keys("passkey challenge").values())


def _mac(key: bytes, purpose: str, text: bytes) -> bytes:
    return hmac.digest(key, len(purpose).to_bytes(2, "big") + purpose.encode() + text, hashlib.sha256)
