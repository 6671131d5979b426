"""Refusals of the API as problem documents (RFC 9457): each code, its status, and what it says, in one place."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from flask import Response, current_app, jsonify, make_response, request

from webapp import errors
from webapp.errors import DomainError
from webapp.http.logging import request_id
from webapp.http.request_checks import API_PREFIX
from webapp.http.words import sentence, sentence_of
from webapp.policy.login_sessions import FRESH_FOR

MEDIA_TYPE: Final = "application/problem+json"
REALM: Final = 'Bearer realm="api"'

STATUS: Final[Mapping[type[DomainError], int]] = {
    errors.InvalidCredentials: 401,
    errors.EmailUnverified: 403,
    errors.AccountDisabled: 403,
    errors.PasswordBlocked: 403,
    errors.PasswordRefused: 422,
    errors.EmailInvalid: 422,
    errors.LinkInvalid: 400,
    errors.LinkExpired: 410,
    errors.LinkUsed: 410,
    errors.LinkReplaced: 410,
    errors.SignInStepExpired: 401,
    errors.RedirectRefused: 422,
    errors.AppCodeInvalid: 400,
    errors.ProviderAnswerRefused: 401,
    errors.ProviderEmailUnverified: 403,
    errors.AccountExists: 409,
    errors.IdentityTied: 409,
    errors.IdentityBlocked: 403,
    errors.ProviderUnavailable: 503,
    errors.MfaRequired: 401,
    errors.FactorRefused: 401,
    errors.FactorSetupRequired: 403,
    errors.PasskeyRefused: 401,
    errors.AccountDeletionPending: 403,
    errors.ReauthenticationRequired: 401,
    errors.AccessTokenMissing: 401,
    errors.TokenInvalid: 401,
    errors.TokenExpired: 401,
    errors.SessionRevoked: 401,
    errors.NotSignedIn: 401,
    errors.RefreshReused: 401,
    errors.NotFound: 404,
    errors.MalformedBody: 400,
    errors.UnsupportedBody: 415,
    errors.ValidationFailed: 422,
    errors.OriginRefused: 403,
    errors.TooManyAttempts: 429,
    errors.StoreUnavailable: 503,
    errors.Busy: 503,
}
# What is refused by its status, before any view or where something broke.
CODES: Final[Mapping[int, str]] = {
    400: "bad_request",
    401: "token_missing",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_long",
    415: "unsupported_media_type",
    429: "too_many_attempts",
    500: "internal_error",
    503: "store_unavailable",
}
# The parameters of WWW-Authenticate (RFC 6750, section 3.1; RFC 9470, section 3). Without any: nothing was shown.
_CHALLENGES: Final[Mapping[str, str]] = {
    "token_invalid": 'error="invalid_token"',
    "token_expired": 'error="invalid_token", error_description="expired"',
    "session_revoked": 'error="invalid_token", error_description="revoked"',
    "refresh_reused": 'error="invalid_token", error_description="revoked"',
    "not_signed_in": 'error="invalid_token", error_description="revoked"',
    "reauthentication_required": f'error="insufficient_user_authentication", max_age="{FRESH_FOR.seconds}"',
}
_UNTOLD: Final = frozenset({"not_signed_in"})  # becomes another
_OPENED_BY_PEOPLE: Final = frozenset({"api.authorize", "api.docs"})
# What a refusal may tell beside its words.
_TOLD: Final = ("rule", "min_length", "reason", "why", "step_token", "deletion_due_at", "mfa_token", "methods")


def is_read_by_a_program() -> bool:
    """Whether a refusal of this request is read by a program: all of the API, but where a person's browser asks for a
    page at an address that is opened in browsers.
    """
    if not request.path.startswith(API_PREFIX):
        return False
    asks_for_page = request.accept_mimetypes.best_match([MEDIA_TYPE, "text/html"]) == "text/html"
    return not (asks_for_page and request.endpoint in _OPENED_BY_PEOPLE)


def problem(status: int, code: str, detail: str = "", **extensions: Any) -> Response:
    """An answer with a problem document."""
    document = document_of(
        code, status, detail, public_url=current_app.config["PUBLIC_URL"], request_id=request_id(), **extensions
    )
    response = make_response(jsonify(document), status)
    response.mimetype = MEDIA_TYPE
    if status == HTTPStatus.UNAUTHORIZED:  # RFC 9110, section 11.6.1
        response.headers["WWW-Authenticate"] = challenge_of(code)
    return response


def document_of(
    code: str, status: int, detail: str, *, public_url: str, request_id: str, **extensions: Any
) -> dict[str, Any]:
    """What a problem document says. Its type leads to the page that explains the code."""
    return {
        "type": f"{public_url}/api/v1/docs#{code}",
        "title": title_of(code),
        "status": status,
        **({"detail": detail} if detail else {}),
        "code": code,
        "request_id": request_id,
        **extensions,
    }


def refuse_by_status(status: int, code: str = "") -> Response:
    """The problem document for a refusal that is no more than a status."""
    code = code or CODES.get(status, CODES[400] if status < HTTPStatus.INTERNAL_SERVER_ERROR else CODES[500])
    return problem(status, code, sentence_of(code))


def told_codes() -> dict[str, int]:
    """Every code that a client can meet, with its status."""
    codes = {**{code: status for status, code in CODES.items()}, **{kind.code: STATUS[kind] for kind in STATUS}}
    return {code: codes[code] for code in sorted(codes, key=lambda code: (codes[code], code)) if code not in _UNTOLD}


def challenge_of(code: str) -> str:
    """WWW-Authenticate for a refusal with this code."""
    parameters = _CHALLENGES.get(code)
    return f"{REALM}, {parameters}" if parameters else REALM


def explained_codes() -> list[dict[str, Any]]:
    """Every code that a client can meet, its status and what it says, in the reader's language."""
    return [{"code": code, "status": status, "text": sentence_of(code)} for code, status in told_codes().items()]


def title_of(code: str) -> str:
    """The constant title of a code (RFC 9457, section 3.1.3)."""
    return code.replace("_", " ").capitalize()


def problem_of(
    error: DomainError, *, status: int | None = None, pointer: str = "", words: Callable[[DomainError], str] = sentence
) -> Response:
    """A refusal as a problem document, in the caller's language. `pointer` is to the value that it is about, `words`
    what is told where the plain sentence does not fit.
    """
    told = {name: error.details[name] for name in _TOLD if name in error.details}
    if isinstance(error, errors.NotSignedIn):
        error = errors.SessionRevoked()  # a login session that ended while its request was under way
    misfits = error.errors if isinstance(error, errors.ValidationFailed) else ()
    if about := pointer or str(error.details.get("pointer", "")):
        misfits = (*misfits, (about, words(error)))
    if misfits:
        told["errors"] = [_place(place, text) for place, text in misfits]
    return problem(status or STATUS[type(error)], error.code, words(error), **told)


def _place(place: str, text: str) -> dict[str, str]:
    is_parameter = place.startswith("?")
    return {("parameter" if is_parameter else "pointer"): place.removeprefix("?"), "detail": text}
