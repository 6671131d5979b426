"""How much of a limit is left, for apps: X-RateLimit-Limit, -Remaining and -Reset of the counter that is closest to its
end. Pages say it in words, and only when it is used up.
"""

from contextlib import suppress

from flask import Flask, Response, g, has_request_context, request

from webapp.errors import StoreUnavailable
from webapp.http.request_checks import API_PREFIX
from webapp.services.throttle import Usage


def note_usage(usage: Usage) -> None:
    """Keep what a counter said last in this request."""
    if has_request_context() and request.path.startswith(API_PREFIX):
        g.setdefault("usage", {})[usage.counter] = usage


def install_limit_headers(app: Flask) -> None:
    """Put the headers on answers to what is limited."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        used: dict[str, Usage] = g.get("usage", {})
        if used and response.status_code < 500:
            usage = min(used.values(), key=lambda counter: counter.remaining)
            response.headers["X-RateLimit-Limit"] = str(usage.amount)
            response.headers["X-RateLimit-Remaining"] = str(usage.remaining)
            with suppress(StoreUnavailable):  # the attempt was counted; it is only this that nobody can say
                response.headers["X-RateLimit-Reset"] = str(int(usage.resets_in().total_seconds()))
        return response
