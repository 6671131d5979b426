"""The bearer's access token (RFC 6750): Flask-JWT-Extended decodes it, by our rules; what makes a token good is decided
by services.tokens, more strictly than the library would.
"""

from typing import Any, cast

from flask import Flask, g, request
from flask_jwt_extended import JWTManager, decode_token

from webapp.errors import AccessTokenMissing, TokenInvalid
from webapp.http.client import ip_of
from webapp.http.log_context import bind_log_context
from webapp.http.site import current_request
from webapp.services import tokens
from webapp.services.access_tokens import Claims
from webapp.services.login_sessions import SignedIn

_SCHEME = "bearer"  # its name has no case (RFC 9110, section 11.1)


class StrictJWTManager(JWTManager):
    """The extension, with our verification in place of its own. Left to itself it takes tokens without `exp` or `jti`,
    ignores `typ`, and answers 422 to what is no token.
    """

    def _decode_jwt_from_config(self, encoded_token: str, csrf_value: Any = None, allow_expired: bool = False) -> Any:
        return tokens.verify_access_token(encoded_token)


def install_bearer(app: Flask) -> None:
    """Give `app` the extension. Tokens come in the Authorization header only: no address holds one (RFC 6750, 5.3)."""
    app.config.update(JWT_TOKEN_LOCATION=["headers"], JWT_COOKIE_CSRF_PROTECT=False)
    StrictJWTManager(app)


def require_access_token() -> None:
    """Refuse a request without a good access token. No query of its own.

    Raises AccessTokenMissing, TokenInvalid, TokenExpired, SessionRevoked or StoreUnavailable.
    """
    asked = current_request()
    if asked.method == "OPTIONS":  # it asks for the methods that an address takes
        return
    # By the token itself, not by verify_jwt_in_request: that takes apart a second time what was verified, only to know
    # its header, and costs as much as all the rest of a call.
    told = decode_token(_shown_token(asked.environ.get("HTTP_AUTHORIZATION", "")))
    g.access_token_claims = told
    bind_log_context(user_id=told["sub"], login_session_id=told["sid"])


def claims() -> Claims:
    """What the verified token of this request says."""
    return cast(Claims, g.access_token_claims)


def signed_in() -> SignedIn:
    """Who is behind this request, by the row of the login session itself. Raises SessionRevoked."""
    if "bearer" not in g:
        g.bearer = tokens.resume(claims(), ip_of(request))
    return cast(SignedIn, g.bearer)


def signed_in_anew() -> SignedIn:
    """As `signed_in`, after something of it was changed."""
    g.pop("bearer", None)
    return signed_in()


def _shown_token(header: str) -> str:
    """The token in an Authorization header. A request has one credential (RFC 9110, section 11.6.2), so that of several
    between commas none is chosen. Raises AccessTokenMissing or TokenInvalid.
    """
    if "," in header:
        raise TokenInvalid
    scheme, *rest = header.split() or [""]
    if scheme.lower() != _SCHEME:
        raise AccessTokenMissing
    if len(rest) != 1:
        raise TokenInvalid
    return rest[0]
