"""Which other origins a browser may call the API from: those of CORS_ORIGINS, letter by letter, and nobody else's."""

from typing import Final

from flask import Flask, Response, current_app, request

from webapp.errors import OriginRefused
from webapp.http.logging import security_log
from webapp.http.request_checks import API_PREFIX
from webapp.settings import Settings

METHODS: Final = "GET, POST, PATCH, DELETE"
HEADERS: Final = "Authorization, Content-Type"
EXPOSED: Final = (
    "Link, Retry-After, WWW-Authenticate, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID"
)
PREFLIGHT_SECONDS: Final = 600
_ALLOWED = "ALLOWED_ORIGINS"  # the key in app.config


def install_origins(app: Flask, settings: Settings) -> None:
    """Answer preflights, and let the pages of the listed origins read what the API answers (ASVS 3.4.2)."""
    app.config[_ALLOWED] = frozenset({settings.PUBLIC_URL, *settings.CORS_ORIGINS})
    elsewhere = frozenset(settings.CORS_ORIGINS)

    @app.before_request
    def answer_preflight() -> Response | None:
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not is_preflight or not request.path.startswith(API_PREFIX) or request.routing_exception is not None:
            return None
        return Response(status=204)

    @app.after_request
    def add_headers(response: Response) -> Response:
        if not elsewhere or not request.path.startswith(API_PREFIX):
            return response
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin in elsewhere:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = METHODS
                response.headers["Access-Control-Allow-Headers"] = HEADERS
                response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return response


def require_own_origin() -> None:
    """Refuse what another site's page sent: for requests that a cookie vouches for, or that set one (ASVS 3.5.1).

    A browser always says from where it posts. What says nothing is no browser, and has nobody else's cookies. Raises
    OriginRefused.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "same-origin")
    # This machine's own names may stand in for the public one (http.request_checks.trusted_hosts), as they do on pages.
    is_listed = origin in current_app.config[_ALLOWED] or origin == request.host_url.rstrip("/")
    if (origin is not None and not is_listed) or (site not in ("same-origin", "none") and not is_listed):
        security_log("cross_site_refused")
        raise OriginRefused
