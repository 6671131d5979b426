"""What went wrong on the way to a provider and back, each with what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, make_response, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response as BaseResponse

from webapp import errors
from webapp.blueprints.federation.blueprint import bp
from webapp.errors import DomainError
from webapp.http import handshake
from webapp.http.headers import hide_path_from_referrers
from webapp.http.logging import security_log
from webapp.http.redirects import safe_next, see_other
from webapp.http.words import sentence
from webapp.services.federation import Intent
from webapp.services.identities import label_of


@dataclass(frozen=True)
class Trouble:
    """What a page about a refusal says above its sentence."""

    status: int
    heading: Any


_TROUBLES: Mapping[type[DomainError], Trouble] = {
    errors.AuthorizationExpired: Trouble(400, lazy_gettext("This sign-in is over")),
    errors.AuthorizationDenied: Trouble(403, lazy_gettext("You were not signed in")),
    errors.ProviderAnswerRefused: Trouble(400, lazy_gettext("That did not work")),
    errors.ProviderUnavailable: Trouble(503, lazy_gettext("The provider does not answer")),
    errors.ProviderEmailUnverified: Trouble(403, lazy_gettext("Your address is not confirmed there")),
    errors.ProviderProofTooOld: Trouble(403, lazy_gettext("We need another proof")),
    errors.IdentityTied: Trouble(409, lazy_gettext("Another account is connected")),
    errors.IdentityElsewhere: Trouble(409, lazy_gettext("This is another account")),
    errors.IdentityBlocked: Trouble(403, lazy_gettext("This way in is closed for now")),
    errors.AccountDisabled: Trouble(403, lazy_gettext("This account is closed")),
    errors.EmailUnverified: Trouble(403, lazy_gettext("Please confirm your address")),
    errors.SignInStepExpired: Trouble(410, lazy_gettext("That took too long")),
}


def trouble(error: DomainError) -> Response:
    """The page for a refusal: what happened, what to do, and the way back to where they were or to the app."""
    told = _TROUBLES[type(error)]
    security_log("federation_refused", reason=error.code, status=told.status)
    intent = error.details.get("intent", Intent.SIGN_IN)
    page = render_template(
        "federation/trouble.html",
        heading=told.heading,
        text=sentence(error),
        code=error.code,
        provider=label_of(str((request.view_args or {}).get("provider", ""))),
        intent=intent,
        next_path=safe_next(str(error.details.get("next_path", "")), default=""),
        way_back=error.details.get("way_back"),
    )
    return hide_path_from_referrers(make_response(page, told.status))


def account_exists(error: errors.AccountExists) -> BaseResponse:
    """There is an account with this address: on to the page where its owner signs in and links the two."""
    handshake.keep_offer(str(error.details["handle"]))
    next_path = safe_next(str(error.details.get("next_path", "")), default="")
    provider = (request.view_args or {})["provider"]
    return see_other(url_for("federation.connect", provider=provider, next=next_path or None))


for _kind in _TROUBLES:
    bp.register_error_handler(_kind, trouble)
bp.register_error_handler(errors.AccountExists, account_exists)
