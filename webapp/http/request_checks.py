"""What a request may look like at all. Whatever is refused here is refused before any view, any form and the session
have seen it, and nothing was changed.
"""

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote_to_bytes

from flask import Flask, Request, abort, redirect, request
from flask.globals import request_ctx
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge, SecurityError
from werkzeug.http import parse_cookie
from werkzeug.wrappers import Response

from webapp.http.logging import ENDPOINT, ROUTE, security_log
from webapp.http.proxies import PLAIN_HTTP
from webapp.http.site import current_request
from webapp.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BODY = 64 * 1024  # bytes; the longest form here needs about four
MAX_JSON = 16 * 1024  # bytes of a body that the API takes
MAX_FIELDS = 100
API_PREFIX = "/api/"  # what its bodies hold, http.json_bodies judges
HEALTH_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})

_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})
# What a machine sends that is no form: its path and the one type it may have.
EVENTS_PATH = "/google/risc"  # of security events
EVENT_TYPE = "application/secevent+jwt"
RAW_BODIES = {EVENTS_PATH: EVENT_TYPE}
_FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_UNREADABLE = "webapp.unreadable"  # environ key: which part of the request is not text

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_IN_FIELD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # a field may hold lines and tabs

_DRAIN_BYTES = 16 * 1024 * 1024
_DRAIN_SECONDS = 2.0


def install_request_checks(app: Flask, settings: Settings) -> None:
    """Refuse what no browser of an honest visitor sends. After `install_logging`, before every other before_request."""
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_BODY,
        MAX_FORM_PARTS=MAX_FIELDS,
        TRUSTED_HOSTS=trusted_hosts(settings),
    )
    app.wsgi_app = ReadableOnly(app.wsgi_app, settings.host)  # type: ignore[method-assign]

    @app.before_request
    def refuse_what_nobody_sends() -> Response | None:
        asked = current_request()
        if isinstance(asked.routing_exception, SecurityError):
            _refuse(400, "host")
        if (part := asked.environ.get(_UNREADABLE)) is not None:
            asked.environ.pop(ROUTE, None)  # the route of a path that is not the one that was asked for
            asked.environ.pop(ENDPOINT, None)
            _refuse(400, f"unreadable_{part}")
        if asked.environ.get(PLAIN_HTTP) and settings.is_https and asked.path not in HEALTH_PATHS:
            return _to_https(settings.PUBLIC_URL)
        _check_method(asked)
        if asked.query_string:
            _refuse_repeated(asked.args)
        _check_body(asked)
        return None


def trusted_hosts(settings: Settings) -> list[str]:
    """The names a Host header may carry: the public one, and this machine's own for whoever asks on it. Forging those
    gains nothing: no link of ours is made from a Host header.
    """
    return list(dict.fromkeys([settings.host, "127.0.0.1", "localhost"]))


def _refuse(status: int, reason: str) -> NoReturn:
    security_log("request_refused", reason=reason, status=status)
    abort(status)


def _to_https(public_url: str) -> Response:
    if request.method not in ("GET", "HEAD") or request.path.startswith(API_PREFIX):
        _refuse(403, "plain_http")  # what was sent in clear must not quietly work (ASVS 4.1.2)
    return redirect(public_url + request.full_path.removesuffix("?"), 308)


def _check_method(asked: Request) -> None:
    if asked.method not in _METHODS:
        adapter = request_ctx.url_adapter
        raise MethodNotAllowed(valid_methods=list(adapter.allowed_methods()) if adapter is not None else None)


def _check_body(asked: Request) -> None:
    is_api = asked.path.startswith(API_PREFIX)
    most = MAX_JSON if is_api else MAX_BODY
    if (asked.content_length or 0) > most:
        _drain()
        _refuse(413, "body_too_long")
    if asked.method in ("GET", "HEAD", "OPTIONS") or asked.routing_exception is not None:
        return  # 404 and 405 say more than what could be said about the body
    body = _read_body(most)
    if not body or is_api or RAW_BODIES.get(asked.path) == asked.mimetype:
        return
    if asked.mimetype not in _FORM_TYPES or asked.headers.get("Content-Encoding"):
        _refuse(415, "no_form")
    if asked.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        _refuse(415, "no_form")
    encoded = asked.mimetype == "application/x-www-form-urlencoded"
    if not _is_text(unquote_to_bytes(body) if encoded else body, _CONTROL_IN_FIELD):
        _refuse(400, "unreadable_form")
    if encoded and body.count(b"&") >= MAX_FIELDS:
        _refuse(413, "too_many_fields")
    _check_fields()


def _read_body(most: int) -> bytes:
    """The whole body, or a refusal: Werkzeug gives a part of one for the whole where the server ends the stream."""
    try:
        body = request.get_data()
        is_too_long = request.content_length is None and len(body) >= most
    except RequestEntityTooLarge:
        is_too_long = True
    except HTTPException:
        raise
    except TimeoutError:
        _refuse(400, "body_late")
    except Exception:  # each server has its own for chunks that are none
        _refuse(400, "body_broken")
    if is_too_long:
        _drain()
        _refuse(413, "body_too_long")
    if request.content_length is not None and len(body) != request.content_length:
        _refuse(400, "body_cut_off")
    return body


def _check_fields() -> None:
    _refuse_repeated(request.form)
    if request.files:
        _refuse(400, "file")
    for name, value in request.form.items():
        if name is None:  # a part of multipart/form-data that has no name of its own
            _refuse(400, "unreadable_form")
        if _CONTROL.search(name) or _CONTROL_IN_FIELD.search(value):
            _refuse(400, "unreadable_form")


def _refuse_repeated(values: MultiDict[str, str]) -> None:
    # Which of two values counts is decided differently by every reader, so neither does (ASVS 15.3.7).
    if any(len(items) > 1 for _name, items in values.lists()):
        _refuse(400, "repeated_field")


def _drain() -> None:
    """Read a refused body for a short while: a sender that is still sending would never see the answer."""
    until = time.monotonic() + _DRAIN_SECONDS
    left = min(request.content_length or _DRAIN_BYTES, _DRAIN_BYTES)
    stream = request.environ["wsgi.input"]
    with suppress(Exception):  # it is refused already, whatever else is wrong with it
        while left > 0 and time.monotonic() < until:
            chunk = stream.read(min(left, 64 * 1024))
            if not chunk:
                return
            left -= len(chunk)


def _is_text(raw: bytes, unfit: re.Pattern[str]) -> bool:
    try:
        return unfit.search(raw.decode("utf-8")) is None
    except UnicodeDecodeError:
        return False


class ReadableOnly:
    """Lets nothing but text through to the application. A request whose path, query, cookies or headers are not UTF-8
    without control characters goes on blank, marked, so that it gets the same error page as any other."""

    def __init__(self, app: "WSGIApplication", host: str) -> None:
        self._app = app
        self._host = host

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        part = unreadable_part(environ)
        if part is not None:
            environ[_UNREADABLE] = part
            is_api = environ.get("PATH_INFO", "").startswith(API_PREFIX)  # which is refused in its own form
            environ["PATH_INFO"], environ["QUERY_STRING"] = API_PREFIX if is_api else "/", ""
            for name in [key for key in environ if key.startswith("HTTP_") and not _is_header_text(environ[key])]:
                del environ[name]
            environ.pop("HTTP_COOKIE", None)
        elif environ.get("PATH_INFO") in HEALTH_PATHS:
            environ["HTTP_HOST"] = self._host  # whoever asks for health asks by address, and no answer names a host
        return self._app(environ, start_response)


def unreadable_part(environ: "WSGIEnvironment") -> str | None:
    """Which part of a request is not text: "path", "query", "header", "cookie" or None."""
    path = environ.get("PATH_INFO", "")
    if not _is_plain(path) and not _is_text(path.encode("latin-1"), _CONTROL):
        return "path"
    query = environ.get("QUERY_STRING", "")
    if query and not _is_text(unquote_to_bytes(query.encode("latin-1")), _CONTROL):
        return "query"
    headers = [value for key, value in environ.items() if key.startswith("HTTP_")]
    if not _is_plain("".join(headers)) and not all(_is_header_text(value) for value in headers):
        return "header"
    cookies = environ.get("HTTP_COOKIE", "")
    # A quoted cookie may spell any byte as an octal number, which the parser then turns into the byte.
    if "\\" in cookies and any(_CONTROL.search(value) for value in parse_cookie(cookies).values()):
        return "cookie"
    return None


def _is_plain(text: str) -> bool:
    """What nearly everything is, and is seen at once to be: printable ASCII."""
    return text.isascii() and text.isprintable()


def _is_header_text(value: str) -> bool:
    if value.isascii():
        return value.isprintable()
    return _is_text(value.encode("latin-1", "replace"), _CONTROL)
