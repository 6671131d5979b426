"""The small bag of somebody who is not signed in: it travels in a signed cookie, and no row is kept.

Signed, not sealed: the visitor can read it, so nothing secret from the visitor goes in. It can be shown again
within its life, so nothing that works once goes in either.
"""

import hashlib
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from flask_babel import LazyString
from itsdangerous import BadData, SignatureExpired, TimestampSigner
from itsdangerous.encoding import base64_decode, base64_encode

from webapp import clock
from webapp.http.logging import security_log
from webapp.settings import Settings

VISITOR_BAG_LIFE = timedelta(hours=12)  # since it was last changed
VISITOR_COOKIE_LENGTH = 3584  # bytes; browsers drop a cookie of more than 4096, name and attributes included
FLASHES = "_flashes"
USER_ID = "_user_id"

_log = structlog.get_logger("cookie_sessions")


def as_plain_text(value: object) -> str:
    """What msgpack does not know is kept when it is text by another name: a translated or a marked-up sentence."""
    if isinstance(value, str | LazyString):
        return str(value)
    raise TypeError(f"a cookie session cannot hold a {type(value).__name__}")


_encode = msgspec.msgpack.Encoder(enc_hook=as_plain_text).encode
_decode = msgspec.msgpack.Decoder(dict[str, Any]).decode


class VisitorCookie:
    """Turns a bag into a cookie's value and back."""

    def __init__(self, settings: Settings) -> None:
        keys = [*reversed(settings.SECRET_KEY_FALLBACKS), settings.SECRET_KEY]  # the last one signs
        self._signer = TimestampSigner(keys, salt="visitor cookie", key_derivation="hmac", digest_method=hashlib.sha256)

    def open(self, value: str) -> dict[str, Any] | None:
        """The bag in a cookie of ours that is not too old, else None."""
        try:
            signed = self._signer.unsign(value, max_age=int(VISITOR_BAG_LIFE.total_seconds()))
            bag = _decode(base64_decode(signed))
        except SignatureExpired as error:
            if error.date_signed is None or error.date_signed > clock.now():
                security_log("cookie_forged")  # no clock of ours wrote this one
            return None
        except (BadData, ValueError, RecursionError):
            security_log("cookie_forged")
            return None
        # Whoever could forge this cookie must still not be able to name the login session to act under.
        bag.pop(USER_ID, None)
        return bag

    def seal(self, bag: dict[str, Any]) -> str | None:
        """The value for the cookie, without the flashes where they make it too long; None where it still is."""
        value = self._sealed(bag)
        if len(value) > VISITOR_COOKIE_LENGTH and FLASHES in bag:
            _log.warning("visitor_flashes_dropped", length=len(value))
            value = self._sealed({key: kept for key, kept in bag.items() if key != FLASHES})
        if len(value) > VISITOR_COOKIE_LENGTH:
            _log.warning("visitor_bag_refused", length=len(value), keys=sorted(bag))
            return None
        return value

    def _sealed(self, bag: dict[str, Any]) -> str:
        return self._signer.sign(base64_encode(_encode(bag))).decode("ascii")
