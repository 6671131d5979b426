"""/healthz, /readyz, /metrics and /.well-known."""

from datetime import timedelta

from flask import Blueprint, Response, abort, jsonify, make_response, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from webapp import clock
from webapp.http.metrics_page import CONTENT_TYPE, may_read_metrics, metrics_text
from webapp.http.redirects import see_other
from webapp.services.readiness import is_draining, stores_that_are_down
from webapp.services.runtime import runtime
from webapp.services.signing_keys import JWKS_MAX_AGE, published_keys

CONTACT_LIFE = timedelta(days=180)  # RFC 9116 wants less than a year

bp = Blueprint("ops", __name__)


@bp.get("/healthz")
def healthz() -> tuple[Response, int]:
    """The process answers, and asks no store. 503 before a stop, so that proxies send nobody to a site that will not be
    there. A store that is away is no reason to: all sites miss it, and each tells its visitors better than a proxy.
    """
    return (jsonify(status="draining"), 503) if is_draining() else (jsonify(status="ok"), 200)


@bp.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Whether the stores answer; 503 with the names of those that do not, and nothing more. 503 also before a stop."""
    if is_draining():
        return jsonify(status="draining"), 503
    down = stores_that_are_down()
    return (jsonify(status="unavailable", down=down), 503) if down else (jsonify(status="ok"), 200)


@bp.get("/metrics")
def metrics() -> Response:
    """What Prometheus reads. 404 for everybody who may not: there is nothing here for them."""
    if not may_read_metrics(request, runtime().settings):
        abort(404)
    response = make_response(metrics_text())
    response.headers["Content-Type"] = CONTENT_TYPE
    return response


@bp.get("/.well-known/change-password")
def change_password() -> BaseResponse:
    """Where password managers send people (W3C, A Well-Known URL for Changing Passwords)."""
    return see_other(url_for("account.password"))


@bp.get("/.well-known/passkey-endpoints")
def passkey_endpoints() -> Response:
    """Where passkeys are made and managed (W3C, Passkey Endpoints Well-Known URL)."""
    page = runtime().settings.PUBLIC_URL + url_for("account.list_passkeys")
    return jsonify(enroll=page, manage=page)


@bp.get("/.well-known/jwks.json")
def jwks() -> Response:
    """The keys by which anybody can verify our access tokens (RFC 7517)."""
    response = jsonify(keys=[key.jwk for key in published_keys()])
    response.mimetype = "application/jwk-set+json"
    # Public, and read by other services' pages, too. A new key is announced for longer than this is kept.
    response.headers["Cache-Control"] = f"public, max-age={int(JWKS_MAX_AGE.total_seconds())}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@bp.get("/.well-known/security.txt")
def security_txt() -> Response:
    """Whom to tell about a weakness (RFC 9116)."""
    settings = runtime().settings
    if not settings.SECURITY_CONTACT:
        abort(404)
    expires = (clock.now() + CONTACT_LIFE).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [
        f"Contact: {settings.SECURITY_CONTACT}",
        f"Expires: {expires.strftime('%Y-%m-%dT%H:%M:%SZ')}",
        "Preferred-Languages: en, ko",
        f"Canonical: {settings.PUBLIC_URL}/.well-known/security.txt",
    ]
    response = make_response("\n".join(lines) + "\n")
    response.mimetype = "text/plain"
    return response
