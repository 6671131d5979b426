"""Structured logs: one JSON object a line in production, readable lines elsewhere, on stderr. Every line of one
request carries its id; whoever wrote it, it goes through redaction. The path and the query of a request are never
logged, only the template of its route, because mailed links carry their secret in the path.
"""

import logging
import re
import sys
import time
from collections.abc import Iterable, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from flask import Flask, has_request_context, request
from flask.logging import default_handler

from webapp.http.client import clean_user_agent, network_of
from webapp.http.headers import SafeHeaders
from webapp.http.log_context import begin_log_context, bind_log_context, end_log_context, merge_log_context
from webapp.http.redaction import REDACTED, is_private_key, redact
from webapp.http.request_ids import RequestIds
from webapp.http.site import current_request
from webapp.metrics import note_event, note_request
from webapp.services.devices import device_name
from webapp.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_ID = "webapp.request_id"  # environ keys
ROUTE = "webapp.route"
ENDPOINT = "webapp.endpoint"
SENT_TEXTS = "webapp.sent_texts"  # the texts of a JSON body that was read

_INBOUND_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_EVENT_NAME = re.compile(r"[a-z][a-z0-9_.]{0,60}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_REFUSALS = ("_refused", "_failed", "_slowed", "_attempts", "_forged")  # how the event of a refusal ends
_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"})

# What we write ourselves, from values we made: never looked at for secrets, so that nobody can blank it by sending it.
_OURS = frozenset(
    {"timestamp", "level", "logger", "request_id", "network", "user_id", "login_session_id", "kid"}
    | {"outcome", "method", "route", "endpoint", "status", "duration_ms", "retry_after", "provider", "factor"}
)

access_log = structlog.get_logger("access")
_access_logger = logging.getLogger("access")
_security = structlog.get_logger("security")


def install_logging(app: Flask, settings: Settings) -> None:
    """Set the logs up and wrap `app`, so that each request has an id and leaves one line.

    First of all: before anything that uses `app.logger` or registers a before_request.
    """
    configure_logging(settings)
    app.logger.removeHandler(default_handler)
    propagates = app.config  # read at request time: tests change it
    app.wsgi_app = RequestLog(app.wsgi_app, propagates, settings)  # type: ignore[method-assign]

    @app.before_request
    def note_route() -> None:
        asked = current_request()
        if (rule := asked.url_rule) is not None:
            asked.environ[ROUTE], asked.environ[ENDPOINT] = rule.rule, rule.endpoint
            bind_log_context(route=rule.rule)


def configure_logging(settings: Settings) -> None:
    """Send structlog and the standard library's loggers through the same processors to stderr. Safe to repeat."""
    shared: list[structlog.typing.Processor] = [
        merge_log_context,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        describe_security_event,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a second application may configure anew
    )
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.processors.format_exc_info, redact_line, _renderer(settings)],
        )
    )
    root = logging.getLogger()
    for old in [h for h in root.handlers if type(h) in (logging.StreamHandler, _Stderr)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.LOG_LEVEL)
    _lead_in_foreign_loggers()


def _lead_in_foreign_loggers() -> None:
    for name in ("gunicorn.error", "gunicorn.access", "werkzeug", "pyasn1"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # These write paths, statements with their values, or code verifiers when asked to be talkative.
    for name in (
        "gunicorn.access",
        "werkzeug",
        "sqlalchemy.engine",
        "sqlalchemy.pool",
        "flask_wtf.csrf",
        "authlib",
        "urllib3",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(settings: Settings) -> structlog.typing.Processor:
    if settings.APP_ENV == "production":
        return structlog.processors.JSONRenderer(default=str)
    return structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is at the moment of writing."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def describe_security_event(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What every security event says beside its own fields: what came of it, and from which browser (ASVS 16.2.1)."""
    if line.get("logger") == "security":
        line["outcome"] = "refused" if str(line["event"]).endswith(_REFUSALS) else "done"
        if has_request_context():
            line["browser"] = device_name(clean_user_agent(request.headers.get("User-Agent", "")))
    return line


def redact_line(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last processor before the renderer: takes out what is private, and what could forge a line."""
    line.pop("_record", None)
    is_ours = line.pop("_from_structlog", False)
    event = line.get("event")
    keeps_event = is_ours and isinstance(event, str) and _EVENT_NAME.fullmatch(event) is not None
    untouched = {key for key in line if key in _OURS or (key == "event" and keeps_event)}
    sent = sent_values() if len(untouched) < len(line) else []
    for key in line.keys() - untouched:
        if is_private_key(key):
            line[key] = REDACTED
        else:
            line[key] = _one_line(redact(line[key], sent), multiline=key in ("exception", "stack"))
    return line


def _one_line(value: object, *, multiline: bool) -> object:
    if isinstance(value, str):
        escaped = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
        return escaped if multiline else escaped.replace("\n", "\\n")
    if isinstance(value, list):
        return [_one_line(item, multiline=False) for item in value]
    if isinstance(value, dict):
        return {key: _one_line(item, multiline=False) for key, item in value.items()}
    return value


def sent_values() -> list[str]:
    """What the present request sent that nobody needs to read in a log: its fields, cookies, path values, query."""
    if not has_request_context():
        return []
    sent: list[str] = []
    if "form" in request.__dict__:  # parsed already; a log line must not be what reads a body
        sent += [value for values in request.form.listvalues() for value in values]
    sent += [value for values in request.args.listvalues() for value in values]
    sent += [value for values in request.cookies.listvalues() for value in values]
    sent += [value for value in (request.view_args or {}).values() if isinstance(value, str)]
    sent += request.environ.get(SENT_TEXTS, ())
    sent += [request.headers.get("Cookie", ""), request.headers.get("Authorization", "")]
    return sent


def security_log(event: str, **ids: object) -> None:
    """One line for whoever watches the site. `ids` are identifiers and reasons of ours, never what a visitor typed."""
    note_event(event)
    _security.warning(event, **ids)


def request_id() -> str:
    """The id of the present request, as its log lines and its X-Request-ID header carry it; empty outside of one."""
    return str(request.environ.get(REQUEST_ID, "")) if has_request_context() else ""


class RequestLog:
    """Gives each request an id, echoes it, writes one line when it is over, and catches what nothing else caught."""

    def __init__(self, app: "WSGIApplication", config: MutableMapping[str, Any], settings: Settings) -> None:
        self._app = app
        self._config = config
        self._trusts_proxies = settings.TRUSTED_PROXIES > 0
        self._safe_headers = SafeHeaders(settings)
        self._new_id = RequestIds()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started = time.perf_counter()
        request_id = environ[REQUEST_ID] = self._id_for(environ)
        statuses: list[int] = []
        begin_log_context(request_id=request_id, network=network_of(environ.get("REMOTE_ADDR") or ""))

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            statuses.append(int(status[:3]))
            complete = self._safe_headers.added_to(headers)
            complete.append(("X-Request-ID", request_id))
            return start_response(status, complete, exc_info)

        try:
            return self._app(environ, start)
        except Exception:
            if statuses or self._propagates():
                raise
            structlog.get_logger("webapp").exception("last_resort")
            return _last_resort(start)
        finally:
            _write_line(environ, statuses[-1] if statuses else 0, time.perf_counter() - started)
            end_log_context()

    def _id_for(self, environ: "WSGIEnvironment") -> str:
        inbound = environ.get("HTTP_X_REQUEST_ID", "") if self._trusts_proxies else ""
        return inbound if _INBOUND_ID.fullmatch(inbound) else self._new_id()

    def _propagates(self) -> bool:
        propagates = self._config.get("PROPAGATE_EXCEPTIONS")
        return bool(self._config.get("TESTING") if propagates is None else propagates)


def _write_line(environ: "WSGIEnvironment", status: int, seconds: float) -> None:
    note_request(environ.get(ENDPOINT), status, seconds)
    if not _access_logger.isEnabledFor(logging.INFO):
        return
    method = environ.get("REQUEST_METHOD", "")
    access_log.info(
        "request",
        method=method if method in _KNOWN_METHODS else "other",
        route=environ.get(ROUTE),
        endpoint=environ.get(ENDPOINT),
        status=status,
        duration_ms=round(seconds * 1000, 1),
    )


def _last_resort(start: "StartResponse") -> Iterable[bytes]:
    """The answer when even the error page broke (ASVS 16.5.4)."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    body = b"Something broke on our side. Try again in a minute.\n"
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start(f"{status.value} {status.phrase}", headers)
    return [body]
