"""What went wrong on the way to a provider and back: what happened, and the one thing to do next."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Response, make_response, render_template, request, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response as BaseResponse

from webapp import errors
from webapp.blueprints.federation.blueprint import bp
from webapp.blueprints.federation.next_steps import next_steps
from webapp.errors import DomainError
from webapp.http import handshake
from webapp.http.headers import hide_path_from_referrers
from webapp.http.logging import security_log
from webapp.http.redirects import safe_next, see_other
from webapp.services.federation import Intent
from webapp.services.identities import label_of

RETRY_AFTER = 30  # seconds: a provider that was away is asked again by then


@dataclass(frozen=True)
class Trouble:
    """What the page of a refusal says; %(provider)s in it is the provider's name."""

    status: int
    heading: Any
    text: Any


_TROUBLES: Mapping[type[DomainError], Trouble] = {
    errors.AuthorizationExpired: Trouble(
        400,
        lazy_gettext("This sign-in is over"),
        lazy_gettext("It took too long, was finished before, or began in another browser. Nothing was changed."),
    ),
    errors.AuthorizationDenied: Trouble(
        403,
        lazy_gettext("Nothing was done"),
        lazy_gettext("You cancelled at %(provider)s, or %(provider)s would not go on."),
    ),
    errors.ProviderAnswerRefused: Trouble(
        400,
        lazy_gettext("That did not work"),
        lazy_gettext("We could not accept what %(provider)s answered. Nothing was changed."),
    ),
    errors.ProviderUnavailable: Trouble(
        503,
        lazy_gettext("%(provider)s does not answer"),
        lazy_gettext("Please try it again in a few minutes. Everything else works as always."),
    ),
    errors.ProviderEmailUnverified: Trouble(
        403,
        lazy_gettext("%(provider)s has not confirmed your address"),
        lazy_gettext(
            "So we cannot know that it is yours. Confirm it there and come again, or create an account with it here."
        ),
    ),
    errors.ProviderProofTooOld: Trouble(
        403,
        lazy_gettext("We need another proof"),
        lazy_gettext("%(provider)s did not tell us that you have signed in there just now."),
    ),
    errors.IdentityTied: Trouble(
        409,
        lazy_gettext("Another account is connected"),
        lazy_gettext("Your account here is connected to another account at %(provider)s. Sign in with that one."),
    ),
    errors.IdentityElsewhere: Trouble(
        409,
        lazy_gettext("This is another account"),
        lazy_gettext("It is not the account at %(provider)s that is connected here. Please choose that one."),
    ),
    errors.IdentityBlocked: Trouble(
        403,
        lazy_gettext("This way in is closed for now"),
        lazy_gettext("%(provider)s told us that somebody else may be using your account there."),
    ),
    errors.AccountDisabled: Trouble(
        403,
        lazy_gettext("This account is closed"),
        lazy_gettext("If you think that is a mistake, please contact us."),
    ),
    errors.EmailUnverified: Trouble(
        403,
        lazy_gettext("Please confirm your address"),
        lazy_gettext("The newest link we mailed you does it."),
    ),
    errors.SignInStepExpired: Trouble(
        410,
        lazy_gettext("That took too long"),
        lazy_gettext("Nothing was connected. Please begin again."),
    ),
}
# Where the same refusal is something else to somebody who is connecting an account.
_WHEN_LINKING: Mapping[type[DomainError], Trouble] = {
    errors.IdentityTied: Trouble(
        409,
        lazy_gettext("Another account is connected"),
        lazy_gettext("Your account is connected to another account at %(provider)s. Disconnect that one first."),
    ),
    errors.IdentityElsewhere: Trouble(
        409,
        lazy_gettext("It opens another account"),
        lazy_gettext(
            "Somebody signs in to another account here with this account at %(provider)s. If that is you, disconnect "
            "it there first."
        ),
    ),
}
# What somebody was about where the refusal does not say: it came before they had left.
_INTENTS = {"federation.link": Intent.LINK, "federation.reauthenticate": Intent.REAUTHENTICATE}


def trouble(error: DomainError) -> Response:
    """The page for a refusal: what happened, what to do, and the way back to where they were or to the app."""
    intent = Intent(str(error.details.get("intent") or _INTENTS.get(request.endpoint or "", Intent.SIGN_IN)))
    told = (_WHEN_LINKING if intent is Intent.LINK else {}).get(type(error)) or _TROUBLES[type(error)]
    security_log("federation_refused", reason=error.code, status=told.status)
    provider = str((request.view_args or {})["provider"])
    words = {"provider": label_of(provider)}
    wanted = error.details.get("next_path") or request.values.get("next") or ""
    page = render_template(
        "federation/trouble.html",
        heading=str(told.heading) % words,
        text=str(told.text) % words,
        steps=next_steps(error, intent, provider, safe_next(str(wanted), default="")),
        next_path=safe_next(str(wanted), default=""),
    )
    response = hide_path_from_referrers(make_response(page, told.status))
    if told.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def account_exists(error: errors.AccountExists) -> BaseResponse:
    """There is an account with this address: on to the page where its owner signs in and links the two."""
    handshake.keep_offer(str(error.details["handle"]))
    next_path = safe_next(str(error.details.get("next_path", "")), default="")
    provider = (request.view_args or {})["provider"]
    return see_other(url_for("federation.connect", provider=provider, next=next_path or None))


for _kind in _TROUBLES:
    bp.register_error_handler(_kind, trouble)
bp.register_error_handler(errors.AccountExists, account_exists)
