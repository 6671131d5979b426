"""What is believed of X-Forwarded-*: nothing, unless TRUSTED_PROXIES says how many proxies stand in front."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from webapp.http.client import normal_ip
from webapp.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PLAIN_HTTP = "webapp.plain_http"  # environ key: a believed proxy says that this came over http
FORWARDED = "webapp.forwarded"  # environ key: whoever sent this says that it came from somebody else

_FORWARDING = ("HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_TRUE_CLIENT_IP", "HTTP_X_CLIENT_IP", "HTTP_CLIENT_IP")


def install_proxies(app: Flask, settings: Settings) -> None:
    """Wrap `app` so that address and scheme are the ones that can be believed. The last, outermost wrapping."""
    count = settings.TRUSTED_PROXIES
    inner = OnlyTheTruth(app.wsgi_app)
    # The host is not taken from proxies: what we link to is PUBLIC_URL, and Host itself must name it.
    app.wsgi_app = ProxyFix(inner, x_for=count, x_proto=count) if count else inner  # type: ignore[method-assign]


class OnlyTheTruth:
    """Puts the address into one spelling and takes every forwarding header away, so that nothing inside can be led
    to believe a forged one (ASVS 4.1.3, 15.3.4)."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        found = environ.get("werkzeug.proxy_fix.orig", {})
        peer = found.get("REMOTE_ADDR") or ""  # where the proxy wrote something that is no address
        environ["REMOTE_ADDR"] = normal_ip(environ.get("REMOTE_ADDR") or "") or normal_ip(peer) or ""
        scheme = environ.get("wsgi.url_scheme", "http").lower()
        environ["wsgi.url_scheme"] = scheme if scheme in ("http", "https") else "http"
        environ[PLAIN_HTTP] = bool(found) and scheme != "https" and "HTTP_X_FORWARDED_PROTO" in environ
        forwarding = [key for key in environ if key in _FORWARDING or key.startswith("HTTP_X_FORWARDED_")]
        environ[FORWARDED] = bool(forwarding) or "HTTP_VIA" in environ
        for name in forwarding:
            del environ[name]
        return self._app(environ, start_response)
