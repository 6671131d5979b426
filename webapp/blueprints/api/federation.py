"""Sign in with an OpenID provider: in the browser, or by the provider's own SDK."""

from typing import Any

from flask import redirect, request
from flask_babel import get_locale
from werkzeug.wrappers import Response

from webapp import errors
from webapp.blueprints.api.blueprint import bp
from webapp.blueprints.api.bodies import AppCodeBody, AuthorizeQuery, IdTokenBody
from webapp.blueprints.api.replies import NonceReply, TokensReply
from webapp.http import handshake, token_delivery
from webapp.http.client import client_of
from webapp.services import app_codes, app_id_tokens, authorization, tokens
from webapp.services.app_codes import ShownCode
from webapp.services.authorization import AppRequest

Body = dict[str, Any]
_SIGN_IN = (
    errors.AccountDisabled,
    errors.AccountDeletionPending,
    errors.MfaRequired,
    errors.FactorSetupRequired,
    errors.SignInStepExpired,
    errors.OriginRefused,
    errors.TooManyAttempts,
    errors.NotFound,
)


@bp.before_request
def require_known_provider() -> None:
    """Where there is no such provider there are no such calls, whatever else is wrong with a request."""
    if "provider" in (request.view_args or {}):
        authorization.relying_party(request.view_args["provider"])  # type: ignore[index]


@bp.get("/auth/<provider>/authorize")
@bp.arguments(AuthorizeQuery, location="query")
@bp.response(302)
@bp.call(
    errors.RedirectRefused,
    errors.TooManyAttempts,
    errors.ProviderUnavailable,
    errors.NotFound,
    is_open=True,
    takes_body=False,
)
def authorize(query: Body, provider: str) -> Response:
    """Send the person to the provider. The app opens this address in the system's browser, not in a web view (RFC
    8252). It leads to the provider and then to `redirect_uri`, with `code`, `state` and `iss`, or with `error`, `state`
    and `iss`. `redirect_uri` has to be one of those that the site lists; one on a loopback address may have any port.
    A browser that asks for a page is refused with a page.
    """
    app = AppRequest(query["redirect_uri"], query["state"], query["code_challenge"])
    departure = app_codes.send_for_app(provider, app, request.full_path, handshake.browser_secret(), client_of(request))
    handshake.keep_browser_secret(departure.browser)
    return redirect(departure.url, 302)


@bp.post("/auth/<provider>/token")
@bp.arguments(AppCodeBody)
@bp.response(200, TokensReply)
@bp.call(errors.AppCodeInvalid, *_SIGN_IN, is_open=True)
def exchange_code(body: Body, provider: str) -> Body:
    """Exchange the code that came back for tokens. It works once, for 60 seconds, and only with the verifier. Shown
    again with the verifier, it ends the session that it began.
    """
    token_delivery.check_transport(body["refresh_transport"])
    signed_in = tokens.sign_in_with_app_code(
        ShownCode(provider, body["code"], body["code_verifier"], body["redirect_uri"]),
        client_of(request),
        device_name=body.get("device_name"),
        refresh_transport=body["refresh_transport"],
    )
    return token_delivery.deliver(signed_in)


@bp.post("/auth/<provider>/nonce")
@bp.response(200, NonceReply)
@bp.call(errors.TooManyAttempts, errors.NotFound, is_open=True, takes_body=False)
def issue_nonce(provider: str) -> Body:
    """Get a nonce to give to the provider's SDK, for one ID token. It works once, for five minutes."""
    nonce = app_id_tokens.issue_nonce(provider, client_of(request))
    return {"nonce": nonce.nonce, "expires_in": int(nonce.expires_in.total_seconds())}


@bp.post("/auth/<provider>/id-token")
@bp.arguments(IdTokenBody)
@bp.response(200, TokensReply)
@bp.call(
    errors.ProviderAnswerRefused,
    errors.ProviderUnavailable,
    errors.ProviderEmailUnverified,
    errors.AccountExists,
    errors.IdentityTied,
    errors.IdentityBlocked,
    errors.Busy,
    *_SIGN_IN,
    is_open=True,
)
def sign_in_with_id_token(body: Body, provider: str) -> Body:
    """Sign in with the ID token that the provider's SDK gave for a nonce of ours. One that is accepted uses the nonce
    up; one that is refused does not.
    """
    token_delivery.check_transport(body["refresh_transport"])
    signed_in = tokens.sign_in_with_id_token(
        provider,
        body["id_token"],
        body["nonce"],
        client_of(request),
        locale=str(get_locale()),
        device_name=body.get("device_name"),
        refresh_transport=body["refresh_transport"],
    )
    return token_delivery.deliver(signed_in)
