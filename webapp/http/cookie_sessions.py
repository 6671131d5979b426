"""Flask's session, hardened: one bag, two carriers.

A visitor's bag travels in a signed cookie, and only once there is something in it. A signed-in browser has an opaque
id in its cookie; its bag lies in a store under the SHA-256 of the id, so that a leaked store opens nothing. Which of
the two it is changes only by `begin` and `end`; `renew` gives a new id at a change of privilege.

The bag is never the truth about a sign-in (that is the login session's row), so the last writer may win.
"""

import hashlib
import re
from typing import Any, cast

import structlog
from flask import Flask, Request, Response, current_app, request
from flask import session as current_cookie_session
from flask.sessions import SessionMixin
from flask_session.base import ServerSideSessionInterface

from webapp.errors import StoreUnavailable
from webapp.extensions import db
from webapp.http.browser_session import (
    ENDING_TOLD_FOR,
    ID_BYTES,
    BrowserSession,
    UnopenedSession,
    begin,
    end,
    packed,
    renew,
    unpacked,
)
from webapp.http.request_checks import EVENTS_PATH, HEALTH_PATHS
from webapp.http.session_stores import SessionStore
from webapp.http.visitor_cookie import VisitorCookie
from webapp.settings import Settings

__all__ = [
    "ENDING_TOLD_FOR",
    "BrowserSession",
    "CookieSessions",
    "UnopenedSession",
    "begin",
    "end",
    "install_cookie_sessions",
    "opens_session",
    "refuse_without_store",
    "renew",
]

MAX_COOKIE_LENGTH = 4096  # characters
PATHS_WITHOUT_SESSION = HEALTH_PATHS | {EVENTS_PATH}
FOLDERS_WITHOUT_SESSION = ("/static/", "/api/", "/.well-known/")

_ID = re.compile(r"[A-Za-z0-9_-]{43}")  # what 32 bytes look like in URL-safe base64
_ABOUT_THE_ANSWER = (  # headers of an answer that must not go out when its session could not be stored
    *("Set-Cookie", "Location", "Clear-Site-Data", "Content-Disposition", "Content-Encoding", "Content-Range"),
    *("Accept-Ranges", "ETag", "Last-Modified"),
)
_log = structlog.get_logger("cookie_sessions")


def refuse_without_store() -> None:
    """To run before every request, before anything else looks at the session: raises StoreUnavailable where the
    browser showed an id and the store does not answer. Visitors who read, and paths without a session, go on.

    A visitor's form may be a sign-in: that begins only where the store will be able to take its bag, or it would
    leave a login session that no browser has.
    """
    if getattr(current_cookie_session, "unavailable", False):
        raise StoreUnavailable(store="cookie_sessions")
    if request.method == "POST" and opens_session(request.path) and not getattr(current_cookie_session, "sid", None):
        cast(CookieSessions, current_app.session_interface).store.ping()


def opens_session(path: str) -> bool:
    """Whether a request for this path has a session at all."""
    return path not in PATHS_WITHOUT_SESSION and not path.startswith(FOLDERS_WITHOUT_SESSION)


def install_cookie_sessions(app: Flask, store: SessionStore, settings: Settings) -> "CookieSessions":
    """Give the application its sessions. Nothing is created or connected here."""
    prefix = "__Host-" if settings.is_https else ""
    app.config.update(
        SESSION_COOKIE_NAME=f"{prefix}session",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_DOMAIN=None,
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    interface = CookieSessions(app, store, settings, visitor_name=f"{prefix}visitor")
    app.session_interface = interface
    return interface


class CookieSessions(ServerSideSessionInterface):
    """Opens the session before a request, and after it stores what changed."""

    session_class = BrowserSession
    null_session_class = UnopenedSession

    def __init__(self, app: Flask, store: SessionStore, settings: Settings, *, visitor_name: str) -> None:
        super().__init__(app, key_prefix="", permanent=False, sid_length=ID_BYTES)
        self.store = store
        self.id_name: str = self.get_cookie_name(app)
        self.visitor_name = visitor_name
        self._visitor_cookie = VisitorCookie(settings)
        self._attributes: dict[str, Any] = {
            "path": "/",
            "secure": settings.is_https,
            "httponly": True,
            "samesite": "Lax",
        }

    def open_session(self, app: Flask, request: Request) -> BrowserSession | None:
        """The browser's bag; None on paths without a session. Never raises, whatever the cookies hold."""
        if not opens_session(request.path):
            return None
        opened = self._stored_session(request)
        if opened is None:  # an empty bag is false, too
            opened = self._visitor_session(request)
        opened.cookies_shown = frozenset({self.id_name, self.visitor_name} & request.cookies.keys())
        return opened

    def save_session(self, app: Flask, session: BrowserSession, response: Response) -> None:
        """Store what changed and set the cookies. Where the store is down, `response` becomes the page that says so.

        An answer that tells of a failure of ours leaves the bag as it was.
        """
        if session.accessed:
            response.vary.add("Cookie")
        if session.unavailable or response.status_code >= 500:
            return
        try:
            self._save(session, response)
        except StoreUnavailable as error:
            # Flask saves after its error handlers ran, so that raising here would be a bare 500.
            session.clear()
            session.sid, session.unavailable = None, True
            _replace(response, app.make_response(app.handle_user_exception(error)))

    def regenerate(self, session: SessionMixin) -> None:
        """Flask-Session's name for `renew`, which also works on a bag that was just emptied."""
        renew(session)

    def _get_store_id(self, sid: str) -> str:
        return hashlib.sha256(sid.encode()).hexdigest()

    def _retrieve_session_data(self, store_id: str) -> bytes | None:
        return self.store.get(store_id)

    def _delete_session(self, store_id: str) -> None:
        _drop_unfinished_work()
        self.store.delete(store_id)

    def _upsert_session(self, session_lifetime: object, session: BrowserSession, store_id: str) -> bool:
        """Store the bag: as a new entry where it began in this request, else only where there still is one, so that a
        request which was under way during a sign-out revives nothing. False: there was none."""
        _drop_unfinished_work()
        if session.begun and session.keep_until is not None:
            self.store.insert(store_id, packed(session), session.keep_until)
            return True
        if session.stored_sid is not None and session.stored_sid != session.sid:
            return self.store.rename(self._get_store_id(session.stored_sid), store_id, packed(session))
        return self.store.update(store_id, packed(session))

    def _stored_session(self, request: Request) -> BrowserSession | None:
        sid = _only_cookie(request, self.id_name)
        if sid is None or not _ID.fullmatch(sid):
            return None
        try:
            data = self._retrieve_session_data(self._get_store_id(sid))
        except StoreUnavailable as error:
            _log.warning("cookie_session_not_read", error=type(error.__cause__).__name__)
            down = BrowserSession()
            down.unavailable = True
            return down
        stored = unpacked(data)
        if stored is None:
            return None
        found = BrowserSession(stored.bag)
        found.sid = found.stored_sid = sid
        found.keep_until, found.persistent, found.as_it_came = stored.keep_until, stored.persistent, data
        return found

    def _visitor_session(self, request: Request) -> BrowserSession:
        value = _only_cookie(request, self.visitor_name)
        bag = self._visitor_cookie.open(value) if value else None
        visitor = BrowserSession(bag)
        visitor.as_it_came = None if bag is None else packed(visitor)
        return visitor

    def _save(self, session: BrowserSession, response: Response) -> None:
        if session.sid is not None and session.sid == session.stored_sid:
            if packed(session) == session.as_it_came:
                return
            if session:
                self._upsert_session(None, session, self._get_store_id(session.sid))
                return
            end(session)  # a bag that somebody emptied is worth no row
        if session.sid is None:
            self._save_visitor(session, response)
        elif self._upsert_session(None, session, self._get_store_id(session.sid)):
            if session.begun and session.stored_sid is not None:
                self._delete_session(self._get_store_id(session.stored_sid))
            expires = session.keep_until if session.persistent else None
            response.set_cookie(self.id_name, session.sid, expires=expires, **self._attributes)
            self._take_back(self.visitor_name, session, response)

    def _save_visitor(self, session: BrowserSession, response: Response) -> None:
        if session.ended:
            if session.stored_sid is not None:
                self._delete_session(self._get_store_id(session.stored_sid))
            self._take_back(self.id_name, session, response)
        # An id that is not in the store, shown by a request that ended nothing, is left with the browser: it may
        # just have been renewed by another request, whose cookie a deletion would hit.
        if session:
            if packed(session) != session.as_it_came and (value := self._visitor_cookie.seal(dict(session))):
                response.set_cookie(self.visitor_name, value, **self._attributes)
        elif session.ended or session.as_it_came is not None:
            self._take_back(self.visitor_name, session, response)

    def _take_back(self, name: str, session: BrowserSession, response: Response) -> None:
        # With all its attributes: browsers ignore the deletion of a __Host- cookie without Secure.
        if name in session.cookies_shown:
            response.delete_cookie(name, **self._attributes)


def _only_cookie(request: Request, name: str) -> str | None:
    """The cookie of that name, unless there are several (one of them is not ours) or it is nothing we ever set."""
    values = request.cookies.getlist(name)
    if len(values) != 1 or not values[0].isascii() or len(values[0]) > MAX_COOKIE_LENGTH:
        return None
    return values[0]


def _drop_unfinished_work() -> None:
    """Drop what a view flushed and did not commit: on SQLite it holds the lock that our own connection needs."""
    if db.session.registry.has():
        db.session.rollback()


def _replace(response: Response, page: Response) -> None:
    """Turn an answer that is not true any more into `page`; headers that hold for every answer stay."""
    for name in _ABOUT_THE_ANSWER:
        response.headers.pop(name, None)
    response.direct_passthrough = False
    response.set_data(page.get_data())
    response.headers.update(page.headers)
    response.status = page.status
