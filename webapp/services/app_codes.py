"""Codes that let an app have what its person proved in the browser: each for one app, once, for a minute."""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import select

from webapp.errors import AppCodeInvalid, LinkInvalid, LinkUsed, ProviderUnavailable, RedirectRefused
from webapp.models import LoginSession, OneTimeToken
from webapp.policy.authorization import Intent, is_allowed_redirect
from webapp.policy.login_sessions import EndReason
from webapp.policy.one_time import Purpose
from webapp.policy.throttling import Limit, network_of
from webapp.services.authorization import AppRequest, Departure, Errand, send_to_provider
from webapp.services.client import Client
from webapp.services.login_sessions import end_login_sessions
from webapp.services.one_time import digest, issue_token, spend_token
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security
from webapp.services.sign_in import Proof
from webapp.services.transaction import transaction


@dataclass(frozen=True)
class ShownCode:
    """What an app shows for tokens (RFC 6749, section 4.1.3; RFC 7636, section 4.5)."""

    provider: str
    code: str = field(repr=False)
    code_verifier: str = field(repr=False)
    redirect_uri: str


def send_for_app(provider: str, app: AppRequest, next_path: str, browser: str | None, client: Client) -> Departure:
    """Send the browser that an app has opened to a provider; `next_path` begins this anew.

    Raises RedirectRefused, and nobody is sent back to an address that is not listed; NotFound, TooManyAttempts, or
    ProviderUnavailable with `way_back` to the app in the details.
    """
    if not is_allowed_redirect(app.redirect_uri, runtime().settings.API_REDIRECT_URIS):
        raise RedirectRefused
    try:
        return send_to_provider(provider, Errand(Intent.APP, next_path=next_path, app=app), browser, client)
    except ProviderUnavailable as error:
        raise ProviderUnavailable(
            **error.details, way_back=answer_to_app(app, error="temporarily_unavailable")
        ) from None


def answer_to_app(app: AppRequest, **parameters: str) -> str:
    """The address where an app waits, letter by letter as it gave it, with our answer (RFC 6749, sections 4.1.2 and
    4.1.2.1; RFC 9207, section 2).
    """
    answer = urlencode({**parameters, "state": app.state, "iss": runtime().settings.PUBLIC_URL})
    return f"{app.redirect_uri}{'&' if '?' in app.redirect_uri else '?'}{answer}"


def issue_app_code(proof: Proof, app: AppRequest) -> str:
    """A code for what was proven. Whoever exchanges it has to show the verifier of the app that asked."""
    data = {
        "methods": " ".join(proof.methods),
        "proven_at": proof.at.isoformat(),
        "identity_id": str(proof.identity_id),
        "redirect_uri": app.redirect_uri,
        "code_challenge": app.code_challenge,
    }
    with transaction() as tx:
        return issue_token(tx, proof.user_id, Purpose.APP_CODE, data=data)


def spend_app_code(shown: ShownCode, client: Client) -> Proof:
    """What a code stands for. A wrong verifier or address spends it, too: somebody else has seen it.

    Raises AppCodeInvalid or TooManyAttempts.
    """
    runtime().throttle.hit(Limit.APP_PROOF_NETWORK, network_of(client.ip))
    try:
        with transaction() as tx:
            spent = spend_token(tx, shown.code, Purpose.APP_CODE)
            data, user_id = spent.data, spent.user_id
    except LinkUsed:
        _end_what_it_opened(shown)
        raise AppCodeInvalid from None
    except LinkInvalid:
        raise AppCodeInvalid from None
    if not _is_by_the_app(shown, data):
        log_security("app_code_refused", user_id=user_id)
        raise AppCodeInvalid
    proven_at, identity_id = datetime.fromisoformat(data["proven_at"]), uuid.UUID(data["identity_id"])
    return Proof(user_id, tuple(data["methods"].split()), proven_at, identity_id=identity_id)


def note_what_it_opened(code: str, login_session_id: uuid.UUID) -> None:
    """Write down which login session a code has become, for the case that it comes back."""
    with transaction() as tx:
        spent = tx.scalars(_by_code(code)).one_or_none()
        if spent is not None:
            spent.data = {**spent.data, "login_session_id": str(login_session_id)}


def _end_what_it_opened(shown: ShownCode) -> None:
    """A code that comes back with its verifier was exchanged by somebody else, or its answer was lost. Either way
    nobody honest holds the tokens (RFC 6749, section 4.1.2). Without the verifier it says nothing about them, and
    whoever has seen only the code shall not be able to sign its owner out.
    """
    with transaction() as tx:
        spent = tx.scalars(_by_code(shown.code)).one_or_none()
        opened = None if spent is None else spent.data.get("login_session_id")
        if spent is None or opened is None or not _is_by_the_app(shown, spent.data):
            return
        end_login_sessions(tx, spent.user_id, EndReason.CODE_REUSED, LoginSession.id == uuid.UUID(opened))
        user_id = spent.user_id
    log_security("app_code_reused", user_id=user_id, login_session_id=opened)


def _by_code(code: str) -> Any:
    return select(OneTimeToken).where(OneTimeToken.token_hash == digest(code), OneTimeToken.purpose == Purpose.APP_CODE)


def _is_by_the_app(shown: ShownCode, data: Mapping[str, str]) -> bool:
    """Whether it is shown at the same provider's, for the same address, by whoever made the challenge."""
    return (
        shown.provider in data["methods"].split()
        and shown.redirect_uri == data["redirect_uri"]
        and hmac.compare_digest(_challenge(shown.code_verifier), data["code_challenge"])
    )


def _challenge(verifier: str) -> str:
    """RFC 7636, section 4.6."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
