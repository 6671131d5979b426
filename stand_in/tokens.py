"""What clients ask for without a browser: tokens, UserInfo, revocation."""

import hmac
from typing import Any
from urllib.parse import unquote_plus

from flask import Blueprint, Response, jsonify, make_response, request

from stand_in.clients import Client
from stand_in.grants import GrantRefused
from stand_in.here import provider

bp = Blueprint("tokens", __name__)


class RequestRefused(Exception):
    """An error as a client gets it (RFC 6749, section 5.2)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.told = {"error": error, "error_description": description}
        self.status = status


@bp.errorhandler(RequestRefused)
def refused(error: RequestRefused) -> Response:
    """The error as JSON."""
    response = make_response(jsonify(error.told), error.status)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="token"'
    return response


@bp.post("/token")
def token() -> Response:
    """RFC 6749, sections 4.1.3 and 6; RFC 7636, section 4.5."""
    client = _authenticated_client()
    if client is None:
        raise RequestRefused("invalid_client", "the client has to authenticate", 401)
    try:
        return jsonify(_answer(client))
    except GrantRefused as error:
        raise RequestRefused("invalid_grant", str(error)) from None


def _answer(client: Client) -> dict[str, Any]:
    kind = _field("grant_type")
    if kind == "authorization_code":
        grant = provider().grants.redeem(
            _field("code"),
            client_id=client.client_id,
            redirect_uri=_field("redirect_uri"),
            verifier=_field("code_verifier"),
        )
        return provider().token_answer(grant, nonce=grant.request.nonce)
    if kind == "refresh_token":
        grant = provider().grants.rotate(_field("refresh_token"), client_id=client.client_id)
        return provider().token_answer(grant, nonce=None)
    raise RequestRefused("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")


@bp.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """OpenID Connect Core 1.0, section 5.3."""
    scheme, _, access_token = request.headers.get("Authorization", "").partition(" ")
    grant = provider().grants.behind_access_token(access_token) if scheme.lower() == "bearer" else None
    if grant is None:
        response = make_response(jsonify(error="invalid_token"), 401)
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        return response
    return jsonify(provider().userinfo(grant))


@bp.post("/revoke")
def revoke() -> Response:
    """RFC 7009. As at Google, a client need not say who it is: having the token is enough to throw it away."""
    client = _authenticated_client()
    provider().grants.revoke(_field("token"), client_id=client.client_id if client else None)
    return make_response("", 200)


def _field(name: str) -> str:
    values = request.form.getlist(name)
    if len(values) != 1 or not values[0]:
        raise RequestRefused("invalid_request", f"{name} must stand once")
    return values[0]


def _authenticated_client() -> Client | None:
    """Whose secret was shown, in one of the two ways; None where there was none (RFC 6749, section 2.3.1)."""
    shown = request.authorization
    in_form = "client_secret" in request.form
    if shown is not None and in_form:
        raise RequestRefused("invalid_request", "one way to authenticate is enough")
    if shown is not None:
        if shown.type != "basic":
            raise RequestRefused("invalid_client", "only Basic is understood", 401)
        client_id, secret = unquote_plus(shown.username or ""), unquote_plus(shown.password or "")
    elif in_form:
        client_id, secret = _field("client_id"), _field("client_secret")
    else:
        return None
    client = provider().clients.get(client_id)
    if client is None or not hmac.compare_digest(client.secret.encode(), secret.encode()):
        raise RequestRefused("invalid_client", "client_id or secret are wrong", 401)
    return client
