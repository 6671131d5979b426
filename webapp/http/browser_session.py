"""The bag of one browser during one request, and the three things that can become of it: begin, renew, end."""

import secrets
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog
from flask.sessions import SecureCookieSession, SessionMixin

from webapp.errors import StoreUnavailable
from webapp.http.visitor_cookie import as_plain_text

ENDING_TOLD_FOR = timedelta(days=1)  # how much longer than a login session its bag is kept, to say why it is over
ID_BYTES = 32

_log = structlog.get_logger("cookie_sessions")


class StoredBag(msgspec.Struct):
    """What lies in the store, as msgpack. The limit and the kind of cookie stand beside the bag: clear() keeps them."""

    bag: dict[str, Any]
    keep_until: datetime
    persistent: bool


_encode = msgspec.msgpack.Encoder(enc_hook=as_plain_text).encode
_decode = msgspec.msgpack.Decoder(StoredBag).decode


class BrowserSession(SecureCookieSession):
    """One browser's bag during one request, and what is to become of it."""

    sid: str | None = None  # the id the browser is to have; None: a visitor
    stored_sid: str | None = None  # the id under which the store has this bag now
    keep_until: datetime | None = None
    persistent = False
    begun = False
    ended = False
    unavailable = False  # the browser has an id, and the store cannot say what it stands for
    as_it_came: bytes | None = None  # the bag, encoded, to see at the end whether it changed
    cookies_shown: frozenset[str] = frozenset()

    @property
    def signed_in(self) -> bool:
        """Whether this browser has an id. Whether the sign-in behind it still holds, its row says."""
        return self.sid is not None


class UnopenedSession(BrowserSession):
    """On paths that open no session: empty; takes what a library may put in, and forgets it."""


def begin(cookie_session: SessionMixin, *, keep_until: datetime, persistent: bool) -> None:
    """Start an empty bag under a brand-new id; what is put in afterwards is kept.

    The store keeps it until `keep_until`: the absolute limit of the login session and ENDING_TOLD_FOR. So does the
    browser where `persistent`; else it forgets the cookie when it closes. Nothing is carried over from before the
    sign-in (ASVS 7.2.4). Raises StoreUnavailable.
    """
    bag = _opened(cookie_session)
    bag.clear()
    bag.sid = _new_id()
    bag.begun, bag.ended = True, False
    bag.keep_until, bag.persistent = keep_until, persistent


def renew(cookie_session: SessionMixin) -> None:
    """A new id for the same bag; the old one is dead afterwards. A visitor has no id, and nothing happens.

    Where a sign-out took the bag away in the meantime, no new one arises. Raises StoreUnavailable.
    """
    bag = _opened(cookie_session)
    if bag.sid is not None:
        bag.sid = _new_id()
        bag.modified = True


def end(cookie_session: SessionMixin) -> None:
    """Empty the bag, delete it from the store and both cookies from the browser.

    What is put in afterwards, such as a farewell, travels as a visitor's. Raises StoreUnavailable.
    """
    bag = _opened(cookie_session)
    bag.clear()
    bag.sid = None
    bag.begun, bag.ended = False, True


def packed(session: BrowserSession) -> bytes:
    """The bag as bytes: as it lies in the store where the browser has an id."""
    if session.sid is None or session.keep_until is None:
        return _encode(dict(session))
    return _encode(StoredBag(dict(session), session.keep_until, session.persistent))


def unpacked(data: bytes | None) -> StoredBag | None:
    """What the store held; None for what is not msgpack of ours. There is no second format to fall back to."""
    if data is None:
        return None
    try:
        return _decode(data)
    except (ValueError, RecursionError) as error:
        _log.warning("cookie_session_unreadable", error=type(error).__name__)
        return None


def _opened(cookie_session: SessionMixin) -> BrowserSession:
    if not isinstance(cookie_session, BrowserSession) or isinstance(cookie_session, UnopenedSession):
        raise TypeError("no cookie session is opened on this path")
    if cookie_session.unavailable:
        raise StoreUnavailable(store="cookie_sessions")
    return cookie_session


def _new_id() -> str:
    return secrets.token_urlsafe(ID_BYTES)
