"""The one place where what services refuse becomes an answer of the API."""

from datetime import timedelta

from flask import Blueprint, Response, request

from webapp import errors
from webapp.errors import DomainError
from webapp.http import bearer
from webapp.http.error_pages import render_error
from webapp.http.problems import STATUS, is_read_by_a_program, problem_of
from webapp.http.token_delivery import forget_refused_cookie
from webapp.http.words import sentence, wrong_current_password
from webapp.services import reauthentication
from webapp.services.security_events import log_security

# The same for pages and API: http.error_pages answers them.
_ANSWERED_FOR_ALL = {errors.TooManyAttempts, errors.NotFound, errors.StoreUnavailable, errors.Busy}
_DEAD_TOKENS = (errors.TokenInvalid, errors.TokenExpired, errors.SessionRevoked, errors.RefreshReused)
_PROVIDER_AWAY_FOR = timedelta(seconds=10)  # a hint: nobody knows
# The value of the body that a refusal is about; without an endpoint, wherever it comes from.
_POINTERS: dict[tuple[str | None, str], str] = {
    (None, "email_invalid"): "/email",
    (None, "password_refused"): "/password",
    ("api.authorize", "redirect_refused"): "?redirect_uri",
    ("api.change_password", "password_refused"): "/new_password",
    ("api.change_password", "invalid_credentials"): "/current_password",
    ("api.delete_me", "invalid_credentials"): "/password",
    ("api.reauthenticate", "invalid_credentials"): "/password",
    (None, "factor_refused"): "/code",
}


def map_refusals(bp: Blueprint) -> None:
    """Answer every refusal of a call with its problem document."""
    for kind in STATUS.keys() - _ANSWERED_FOR_ALL:
        bp.register_error_handler(kind, _refused)
    # Also where a route under /api/ is another blueprint's: it is closed like any other.
    for kind in (errors.AccessTokenMissing, *_DEAD_TOKENS):
        bp.app_errorhandler(kind)(_refused)


def _refused(error: DomainError) -> Response:
    status = STATUS[type(error)]
    if status in (401, 403):
        log_security("api_refused", reason=error.code, endpoint=request.endpoint)
    if isinstance(error, _DEAD_TOKENS):
        forget_refused_cookie()
    if isinstance(error, errors.ReauthenticationRequired):
        error = errors.ReauthenticationRequired(methods=list(reauthentication.ways_of(bearer.signed_in())))
    pointer = _POINTERS.get((request.endpoint, error.code), _POINTERS.get((None, error.code), ""))
    if isinstance(error, errors.InvalidCredentials) and pointer:
        # Whoever is signed in and mistypes their own password is not to sign in anew (RFC 9110, section 15.5.2).
        return problem_of(error, status=403, pointer=pointer, words=wrong_current_password)
    response = problem_of(error, status=status, pointer=pointer) if is_read_by_a_program() else _page(error, pointer)
    if isinstance(error, errors.ProviderUnavailable):
        response.headers["Retry-After"] = str(_PROVIDER_AWAY_FOR.seconds)
    return response


def _page(error: DomainError, pointer: str) -> Response:
    """For the person whose browser an app has opened. It leads to no address that the app has only named: this is no
    way to send people anywhere with our name on it (RFC 9700, section 4.11.2).
    """
    misfits = error.errors if isinstance(error, errors.ValidationFailed) else ((pointer, sentence(error)),)
    return render_error(
        STATUS[type(error)],
        template="app",
        text=sentence(error),
        misfits=[(place.removeprefix("?"), told) for place, told in misfits],
        way_back=error.details.get("way_back"),
    )
