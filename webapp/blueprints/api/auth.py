"""Sign in, refresh, sign out."""

from typing import Any

from flask import jsonify, request

from webapp import errors
from webapp.blueprints.api.blueprint import bp
from webapp.blueprints.api.bodies import LoginBody, RefreshBody, StepBody
from webapp.blueprints.api.replies import ClaimsReply, TokensReply
from webapp.http import bearer, token_delivery
from webapp.http.client import client_of
from webapp.http.origins import require_own_origin
from webapp.services import login_sessions, rotation, tokens

Body = dict[str, Any]


@bp.post("/auth/login")
@bp.arguments(LoginBody)
@bp.response(200, TokensReply)
@bp.call(
    errors.InvalidCredentials,
    errors.EmailUnverified,
    errors.AccountDisabled,
    errors.PasswordBlocked,
    errors.AccountDeletionPending,
    errors.MfaRequired,
    errors.FactorSetupRequired,
    errors.OriginRefused,
    errors.TooManyAttempts,
    errors.Busy,
    is_open=True,
)
def login(body: Body) -> Body:
    """Sign in with address and password.

    With `refresh_transport` "cookie" the refresh token is only in an HttpOnly cookie, for apps in a browser.
    """
    token_delivery.check_transport(body["refresh_transport"])
    signed_in = tokens.sign_in_with_password(
        body["email"],
        body["password"],
        client_of(request),
        device_name=body.get("device_name"),
        refresh_transport=body["refresh_transport"],
    )
    return token_delivery.deliver(signed_in)


@bp.post("/auth/keep-account")
@bp.arguments(StepBody)
@bp.response(200, TokensReply)
@bp.call(errors.SignInStepExpired, errors.MfaRequired, errors.OriginRefused, is_open=True)
def keep_account(body: Body) -> Body:
    """Finish a sign-in that account_deletion_pending stopped, and keep the account."""
    require_own_origin()  # before the step is spent: it may be one that is to set the cookie
    return token_delivery.deliver(tokens.keep_account(body["step_token"], client_of(request)))


@bp.post("/auth/refresh")
@bp.arguments(RefreshBody, required=False)
@bp.response(200, TokensReply)
@bp.call(
    errors.TokenInvalid,
    errors.TokenExpired,
    errors.SessionRevoked,
    errors.RefreshReused,
    errors.FactorSetupRequired,
    errors.OriginRefused,
    is_open=True,
)
def refresh(body: Body) -> Body:
    """Exchange the refresh token, from the body or the cookie, for new tokens.

    The token that was exchanged is good for 30 seconds more, for an answer that was lost; shown later, it ends the
    session.
    """
    shown = token_delivery.shown_refresh_token(body)
    refreshed = rotation.rotate_refresh_token(shown.token, client_of(request))
    return token_delivery.body_of(refreshed, by_cookie=shown.by_cookie)


@bp.post("/auth/logout")
@bp.arguments(RefreshBody, required=False)
@bp.response(204)
@bp.call(
    errors.AccessTokenMissing,
    errors.TokenInvalid,
    errors.TokenExpired,
    errors.SessionRevoked,
    errors.OriginRefused,
    is_open=True,
)
def logout(body: Body) -> None:
    """End this session: by the refresh token in the body, else by the access token, else by the cookie."""
    if "Authorization" in request.headers and "refresh_token" not in body:
        bearer.require_access_token()
        login_sessions.sign_out(bearer.signed_in(), client_of(request))
        ended = bearer.signed_in().login_session_id
    else:
        shown = token_delivery.shown_refresh_token(body)
        ended = rotation.sign_out_by_refresh_token(shown.token, client_of(request))
    token_delivery.forget_refresh_cookie(ended)


@bp.post("/auth/logout-all")
@bp.response(204)
@bp.call(takes_body=False)
def logout_all() -> None:
    """End every session of the account, on the web and in apps, this one too."""
    login_sessions.end_every_login_session(bearer.signed_in(), client_of(request))
    token_delivery.forget_refresh_cookie()


@bp.get("/auth/session")
@bp.response(200, ClaimsReply)
@bp.call(takes_body=False)
def session() -> Any:
    """What the access token says, once it is verified. Asks no database."""
    return jsonify(bearer.claims())
