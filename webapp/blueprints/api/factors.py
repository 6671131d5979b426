"""The second factor of a sign-in, passkeys, and proving again who one is."""

from typing import Any

from flask import request

from webapp import errors
from webapp.blueprints.api.blueprint import bp
from webapp.blueprints.api.bodies import MfaBody, MfaTokenBody, PasskeyBody, ReauthenticateBody
from webapp.blueprints.api.replies import AccessTokenReply, PasskeyOptionsReply, TokensReply
from webapp.http import bearer, token_delivery
from webapp.http.client import client_of
from webapp.http.origins import require_own_origin
from webapp.services import passkey_proofs, reauthentication, sign_in_steps, tokens
from webapp.services.second_factor import Answer, Method

Body = dict[str, Any]


@bp.post("/auth/mfa")
@bp.arguments(MfaBody)
@bp.response(200, TokensReply)
@bp.call(
    errors.FactorRefused,
    errors.SignInStepExpired,
    errors.AccountDeletionPending,
    errors.OriginRefused,
    errors.TooManyAttempts,
    is_open=True,
)
def pass_second_factor(body: Body) -> Body:
    """Go on with a sign-in that mfa_required stopped, by its second factor."""
    require_own_origin()  # before a code is spent: it may be one that is to set the cookie
    answer = Answer(Method(body["method"]), code=body.get("code", ""), credential=body.get("credential"))
    return token_delivery.deliver(tokens.pass_second_factor(body["mfa_token"], answer, client_of(request)))


@bp.post("/auth/mfa/passkey")
@bp.arguments(MfaTokenBody)
@bp.response(200, PasskeyOptionsReply)
@bp.call(errors.SignInStepExpired, is_open=True)
def second_factor_options(body: Body) -> Body:
    """What a passkey has to sign to be the second factor of a sign-in."""
    return {"public_key": sign_in_steps.factor_options(body["mfa_token"], kind="api")}


@bp.post("/auth/passkey/options")
@bp.response(200, PasskeyOptionsReply)
@bp.call(is_open=True, takes_body=False)
def passkey_options() -> Body:
    """What a passkey has to sign to sign its owner in, whoever they are."""
    return {"public_key": passkey_proofs.sign_in_options()}


@bp.post("/auth/passkey")
@bp.arguments(PasskeyBody)
@bp.response(200, TokensReply)
@bp.call(
    errors.PasskeyRefused,
    errors.AccountDisabled,
    errors.AccountDeletionPending,
    errors.OriginRefused,
    errors.TooManyAttempts,
    is_open=True,
)
def sign_in_with_passkey(body: Body) -> Body:
    """Sign in with a passkey: no password, no address, both factors in one."""
    token_delivery.check_transport(body["refresh_transport"])
    signed_in = tokens.sign_in_with_passkey(
        body["credential"],
        client_of(request),
        device_name=body.get("device_name"),
        refresh_transport=body["refresh_transport"],
    )
    return token_delivery.deliver(signed_in)


@bp.post("/auth/reauthenticate")
@bp.arguments(ReauthenticateBody)
@bp.response(200, AccessTokenReply)
@bp.call(errors.InvalidCredentials, errors.FactorRefused, errors.PasskeyRefused, errors.TooManyAttempts, errors.Busy)
def reauthenticate(body: Body) -> Body:
    """Prove again who you are, with the second factor where the account has one. The new access token says so; the
    refresh token stays as it is.
    """
    me, client = bearer.signed_in(), client_of(request)
    if body.get("method") == Method.PASSKEY:
        reauthentication.prove_passkey_again(me, body.get("credential", {}), client)
    else:
        answer = Answer(Method(body["method"]), code=body.get("code", "")) if "method" in body else None
        reauthentication.prove_again(me, body["password"], answer, client)
    return token_delivery.access_body(tokens.access_token_after(me))
