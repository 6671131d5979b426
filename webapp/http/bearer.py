"""The bearer's access token (RFC 6750): Flask-JWT-Extended takes it from the request and keeps its claims for the view;
what makes a token good is decided by services.tokens, more strictly than the library would.
"""

from typing import Any, cast

import structlog
from flask import Flask, g, request
from flask_jwt_extended import JWTManager, get_jwt, verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException, NoAuthorizationError

from webapp.errors import AccessTokenMissing, TokenInvalid
from webapp.http.client import client_of
from webapp.services import tokens
from webapp.services.access_tokens import Claims
from webapp.services.login_sessions import SignedIn

SCHEME = "Bearer"


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
    _spell_scheme()
    try:
        verified = verify_jwt_in_request(verify_type=False)  # the type is in the header, and was judged with it
    except NoAuthorizationError:
        raise AccessTokenMissing from None
    except JWTExtendedException:
        raise TokenInvalid from None
    if verified is not None:  # None: it asks for the methods that an address takes
        _, told = verified
        structlog.contextvars.bind_contextvars(user_id=told["sub"], login_session_id=told["sid"])


def claims() -> Claims:
    """What the verified token of this request says."""
    return cast(Claims, get_jwt())


def signed_in() -> SignedIn:
    """Who is behind this request, by the row of the login session itself. Raises SessionRevoked."""
    if "bearer" not in g:
        g.bearer = tokens.resume(claims(), client_of(request))
    return cast(SignedIn, g.bearer)


def signed_in_anew() -> SignedIn:
    """As `signed_in`, after something of it was changed."""
    g.pop("bearer", None)
    return signed_in()


def _spell_scheme() -> None:
    """The name of a scheme has no case (RFC 9110, section 11.1); the extension knows one spelling. A request has one
    credential (section 11.6.2); of several between commas, the extension would choose. Raises TokenInvalid.
    """
    header = request.environ.get("HTTP_AUTHORIZATION", "")
    if "," in header:
        raise TokenInvalid
    scheme, space, rest = header.partition(" ")
    if space and scheme != SCHEME and scheme.lower() == SCHEME.lower():
        request.environ["HTTP_AUTHORIZATION"] = f"{SCHEME} {rest}"
