"""Requests that another site sends in our visitor's name: Flask-WTF's token on every form, and before it what the
browser itself says about where a request comes from.
"""

import hashlib
import hmac
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, abort, g, request, session, url_for
from flask_wtf.csrf import CSRFError
from itsdangerous import Signer

from webapp.errors import StoreUnavailable
from webapp.extensions import csrf
from webapp.http.error_pages import render_error
from webapp.http.logging import security_log
from webapp.http.redirects import safe_next
from webapp.http.request_checks import API_PREFIX
from webapp.settings import Settings

TOKEN_FIELD = "csrf_token"
KEPT_FIELDS = ("email", "name", "locale", "remember")  # what may stand in a page again; never a secret
MAX_KEPT = 320  # characters of one field

# Flask-WTF leaves the digest of its signatures to itsdangerous, whose default is SHA-1 (ASVS 11.4.1).
Signer.default_digest_method = staticmethod(hashlib.sha256)

_UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_EMBEDDED = frozenset({"iframe", "frame", "object", "embed"})


def install_csrf(app: Flask, settings: Settings) -> None:
    """Guard every form of `app`. After `install_request_checks`, `install_locale` and `install_error_pages`."""
    app.config.update(
        WTF_CSRF_SECRET_KEY=hmac.digest(settings.SECRET_KEY.encode(), b"csrf", hashlib.sha256).hex(),
        WTF_I18N_ENABLED=False,  # every message of a form is ours; it would parse WTForms' own for each form shown
        WTF_CSRF_FIELD_NAME=TOKEN_FIELD,
        WTF_CSRF_TIME_LIMIT=None,  # it ends with the session; a form left open over lunch must work
        # No Referer is needed: privacy settings withhold it. Origin, Sec-Fetch-Site, SameSite and the token hold.
        WTF_CSRF_SSL_STRICT=False,
    )
    public_host = urlsplit(settings.PUBLIC_URL).netloc.lower()
    app.before_request(lambda: refuse_foreign_requests(public_host))
    csrf.init_app(app)
    app.register_error_handler(CSRFError, show_form_again)


def rotate_csrf(cookie_session: MutableMapping[str, Any]) -> None:
    """Forget the token, so that the next form gets a new one: at every change of who is signed in."""
    cookie_session.pop(TOKEN_FIELD, None)
    g.pop(TOKEN_FIELD, None)


def refuse_foreign_requests(public_host: str) -> None:
    """Refuse what the browser says another site started, unless it is a plain link to a page.

    Defence in depth beside the token (ASVS 3.5.1, 3.5.8). Browsers that say nothing pass on to the token.
    """
    if request.path.startswith((API_PREFIX, "/.well-known/")):
        return  # bearer tokens, and the API looks at origins by itself; documents meant for everybody
    site = request.headers.get("Sec-Fetch-Site", "")
    if request.method in _UNSAFE_METHODS:
        if site in ("cross-site", "same-site") or _is_foreign(request.headers.get("Origin"), public_host):
            _refuse()
    elif site == "cross-site" and not _is_followed_link():
        _refuse()


def _is_followed_link() -> bool:
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return mode == "navigate" and request.headers.get("Sec-Fetch-Dest", "") not in _EMBEDDED


def _is_foreign(origin: str | None, public_host: str) -> bool:
    """Whether an Origin names another host. "null" tells nothing: privacy settings write it for our own forms too."""
    if not origin or origin == "null":
        return False
    try:
        return urlsplit(origin).netloc.lower() not in (public_host, request.host.lower())
    except ValueError:
        return True


def _refuse() -> None:
    security_log("cross_site_refused")
    abort(403)


def show_form_again(error: CSRFError) -> Response:
    """400 and a page that lets the visitor send the form again, with what may be kept of what was typed.

    Raises StoreUnavailable when the token is only missing because the session could not be read.
    """
    if getattr(session, "unavailable", False):
        raise StoreUnavailable
    security_log("csrf_refused", reason=str(error.description).rstrip("."))
    return render_error(400, template="csrf", form_url=_form_url(), kept=kept_fields())


def kept_fields() -> dict[str, str]:
    """The fields of the refused form that may be shown and sent again."""
    kept = {name: request.form[name][:MAX_KEPT] for name in KEPT_FIELDS if request.form.get(name)}
    if target := safe_next(request.form.get("next"), ""):
        kept["next"] = target
    return kept


def _form_url() -> str:
    if request.endpoint is None:
        return "/"
    url = url_for(request.endpoint, **(request.view_args or {}))
    query = urlencode(request.args.to_dict())
    return f"{url}?{query}" if query else url
