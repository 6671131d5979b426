"""The answer when something is refused or breaks: one page a status, in the family of all other pages. They read
no store and no user, because the store may be what is down.
"""

import math
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import redis.exceptions
import sqlalchemy.exc
import structlog
from flask import Flask, Response, current_app, make_response, request, session
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException, InternalServerError

from webapp.errors import Busy, NotFound, StoreUnavailable, TooManyAttempts
from webapp.http.logging import request_id, security_log
from webapp.http.problems import is_read_by_a_program, refuse_by_status
from webapp.metrics import STORES_DOWN
from webapp.settings import Settings

# What a store that is away raises, under SQLAlchemy or Redis.
STORE_ERRORS: Final[tuple[type[Exception], ...]] = (
    StoreUnavailable,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.TimeoutError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.ReadOnlyError,
)
BUSY_FOR = timedelta(seconds=5)  # a place among the hashes under way is free again by then
_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")

_log = structlog.get_logger("errors")


def install_error_pages(app: Flask, settings: Settings) -> None:
    """Answer every refusal and every failure of `app` with a page (under /api/ with RFC 9457)."""
    retry_after = timedelta(seconds=max(1, math.ceil(settings.DATABASE_TIMEOUT.total_seconds())))

    def store_unavailable(error: Exception) -> Response:
        STORES_DOWN.inc()
        _log.error("store_unavailable", error=type(error).__name__, exc_info=error)
        return refusal(503, retry_after=retry_after)

    def unexpected(error: Exception) -> Response:
        # Flask comes here with what broke before a view was found, wrapped.
        original = getattr(error, "original_exception", None) or error
        if isinstance(original, STORE_ERRORS):
            return store_unavailable(original)
        if not isinstance(error, InternalServerError) and _propagates(app):
            raise error
        _log.error("request_failed", error=type(original).__name__, exc_info=original)
        return refusal(500)

    app.config["PUBLIC_HOST"], app.config["PUBLIC_URL"] = settings.host, settings.PUBLIC_URL
    app.jinja_env.globals.setdefault("site_name", settings.SITE_NAME)
    for store_error in STORE_ERRORS:
        app.register_error_handler(store_error, store_unavailable)
    app.register_error_handler(TooManyAttempts, too_many_attempts)
    app.register_error_handler(NotFound, not_theirs)
    app.register_error_handler(Busy, lambda error: refusal(503, retry_after=BUSY_FOR, code=error.code))
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(InternalServerError, unexpected)
    app.register_error_handler(Exception, unexpected)
    # Flask's own words would hold the path, and the path may hold a token; `unexpected` writes the line.
    app.log_exception = _say_nothing  # type: ignore[method-assign]


def too_many_attempts(error: TooManyAttempts) -> Response:
    """429, with how long to wait in the header and in words."""
    security_log("too_many_attempts", retry_after=math.ceil(error.retry_after.total_seconds()))
    return refusal(429, retry_after=error.retry_after)


def not_theirs(error: NotFound) -> Response:
    """404 for what is not there and for what is somebody else's: who asks cannot tell the two apart."""
    security_log("authorization_refused", reason=error.code, endpoint=request.endpoint)
    return refusal(404)


def http_error(error: HTTPException) -> Response:
    """The page for what Werkzeug, Flask or a view refused by status."""
    if error.response is not None:
        return make_response(error.response)
    status = error.code or 500
    if status in (401, 403):
        security_log("access_refused", status=status)
    response = refusal(status)
    for name, value in error.get_headers():
        if name in _KEPT_HEADERS:
            response.headers[name] = value
    return response


def refusal(status: int, *, retry_after: timedelta | None = None, **context: Any) -> Response:
    """The answer to a refused request: a page, or a problem document under /api/.

    `retry_after` is rounded up to whole seconds and goes into the Retry-After header too.
    """
    seconds = None if retry_after is None else max(1, math.ceil(retry_after.total_seconds()))
    if is_read_by_a_program():
        response = refuse_by_status(status, str(context.get("code", "")))
    else:
        response = render_error(status, retry_after=seconds, **context)
    if seconds is not None:
        response.headers["Retry-After"] = str(seconds)
    return response


def render_error(status: int, *, template: str = "", **context: Any) -> Response:
    """errors/<status>.html without context processors, since those ask who is signed in; plain text if it breaks."""
    _bind_urls()
    values = {
        "request_id": request_id(),
        "status": status,
        "can_sign_out": _can_sign_out(),
        **context,
    }
    family = "400" if status < 500 else "500"
    try:
        page = current_app.jinja_env.select_template([f"errors/{template or status}.html", f"errors/{family}.html"])
        return make_response(page.render(values), status)
    except Exception as error:
        _log.error("error_page_broken", error=type(error).__name__, exc_info=error)
        return _plain(status)


def _can_sign_out() -> bool:
    """Whether this browser came with the id of a session that was found. No store is asked again (ASVS 7.4.4)."""
    with suppress(AssertionError):  # Flask's, where it broke before there was a session
        return bool(getattr(session, "signed_in", False)) and not getattr(session, "unavailable", False)
    return False


def _bind_urls() -> None:
    """Where the Host header was refused there is no way to make links; the page shall have them all the same."""
    if request_ctx.url_adapter is None:
        request_ctx.url_adapter = current_app.url_map.bind(current_app.config["PUBLIC_HOST"])


def _plain(status: int) -> Response:
    response = make_response(f"{status} {_title(status)}\n{request_id()}\n", status)
    response.mimetype = "text/plain"
    return response


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _propagates(app: Flask) -> bool:
    """Whether a failure goes on up to a test or the debugger instead of becoming a page, as Flask itself decides."""
    setting = app.config["PROPAGATE_EXCEPTIONS"]
    return bool(app.testing or app.debug) if setting is None else bool(setting)


def _say_nothing(exc_info: object) -> None:
    pass
