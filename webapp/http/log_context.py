"""What every log line of one request says beside its own fields: the request's id, its route, who is behind it."""

from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

# One dictionary a request. structlog's own context is a variable a field, set and cleared on each request.
_fields: ContextVar[dict[str, object] | None] = ContextVar("log_fields", default=None)


def begin_log_context(**fields: object) -> None:
    """Forget what was said of the request before, and begin anew with these."""
    _fields.set(fields)


def bind_log_context(**fields: object) -> None:
    """Say these, too, from here on in this request. Outside of one nothing is kept."""
    known = _fields.get()
    if known is not None:
        known.update(fields)


def end_log_context() -> None:
    """The request is over."""
    _fields.set(None)


def merge_log_context(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """As a processor of structlog: what the line itself says counts."""
    known = _fields.get()
    return {**known, **line} if known else line
