"""Tokens as an answer: all in the body, or the refresh token in a cookie that no script can read."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from flask import Flask, Response, after_this_request, current_app, g, request

from webapp.errors import TokenInvalid
from webapp.http.cookie_delivery import remember_device
from webapp.http.origins import require_own_origin
from webapp.services.rotation import login_session_of, replace_by_sign_in
from webapp.services.tokens import AccessToken, SignedInByApi, Tokens
from webapp.settings import Settings

COOKIE_PATH: Final = "/api/v1/auth"
REFRESH_COOKIE_NAME: Final = "REFRESH_COOKIE_NAME"  # the key in app.config


@dataclass(frozen=True)
class ShownToken:
    """A refresh token, and how it came."""

    token: str = field(repr=False)
    by_cookie: bool


def install_token_delivery(app: Flask, settings: Settings) -> None:
    """Fix the name of the cookie. It has a path, so it cannot have the prefix __Host-."""
    app.config[REFRESH_COOKIE_NAME] = "__Secure-refresh" if settings.is_https else "refresh"


def refresh_cookie_name(app: Flask) -> str:
    """What the cookie is called."""
    return str(app.config[REFRESH_COOKIE_NAME])


def deliver(signed_in: SignedInByApi) -> dict[str, Any]:
    """What an app that signed in gets."""
    by_cookie = signed_in.refresh_transport == "cookie"
    if by_cookie:
        replace_by_sign_in(request.cookies.get(current_app.config[REFRESH_COOKIE_NAME]))
    remember_device(signed_in.device)
    return body_of(signed_in.tokens, by_cookie=by_cookie)


def body_of(tokens: Tokens, *, by_cookie: bool) -> dict[str, Any]:
    """The JSON for a pair of tokens (RFC 6749, section 5.1). `by_cookie`: the refresh token is only in the cookie."""
    body = {
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "expires_in": _seconds(tokens.expires_in),
        "refresh_token": tokens.refresh_token,
        "refresh_expires_in": _seconds(tokens.refresh_expires_in),
        "session_id": str(tokens.session_id),
    }
    if by_cookie:
        del body["refresh_token"]
        _set_cookie(tokens.refresh_token, tokens.refresh_expires_in)
    return body


def access_body(token: AccessToken) -> dict[str, Any]:
    """The JSON for an access token alone."""
    return {
        "access_token": token.access_token,
        "token_type": "Bearer",
        "expires_in": _seconds(token.expires_in),
    }


def check_transport(refresh_transport: str) -> None:
    """Before a sign-in that is to set the cookie: another site must not sign somebody in here (ASVS 3.5.1).

    Raises OriginRefused.
    """
    if refresh_transport == "cookie":
        require_own_origin()


def shown_refresh_token(body: Mapping[str, str]) -> ShownToken:
    """The refresh token of a request: what its body says, else what its cookie holds.

    Raises TokenInvalid where there is neither, or OriginRefused.
    """
    if token := body.get("refresh_token"):
        return ShownToken(token, by_cookie=False)
    values = request.cookies.getlist(current_app.config[REFRESH_COOKIE_NAME])
    if values:
        require_own_origin()
    if len(values) != 1:  # one of several would not be ours: a sibling host may plant one (RFC 6265bis, section 8.6)
        raise TokenInvalid
    g.refresh_cookie_shown = True  # and may be taken away: never where that would leave the planted one alone
    return ShownToken(values[0], by_cookie=True)


def forget_refresh_cookie(login_session_id: uuid.UUID | None = None) -> None:
    """Take the cookie from the browser, where it showed one; where a session is named, only that one's."""
    shown = request.cookies.get(current_app.config[REFRESH_COOKIE_NAME])
    if shown is not None and login_session_id in (None, login_session_of(shown)):
        _set_cookie("", timedelta(0))


def forget_refused_cookie() -> None:
    """The same, where it was what the request stood on: a dead token from elsewhere says nothing of the cookie's."""
    if g.get("refresh_cookie_shown"):
        forget_refresh_cookie()


def _set_cookie(value: str, life: timedelta) -> None:
    @after_this_request
    def set_cookie(response: Response) -> Response:
        response.set_cookie(
            current_app.config[REFRESH_COOKIE_NAME],
            value,
            max_age=life,
            path=COOKIE_PATH,
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Strict",
        )
        return response


def _seconds(life: timedelta) -> int:
    return max(0, round(life.total_seconds()))
