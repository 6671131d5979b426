"""What somebody comes back from an OpenID provider for: to sign in, to link, to prove again who they are, or to let an
app in. Each ends where every other door ends.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from webapp import clock
from webapp.errors import (
    AuthorizationDenied,
    AuthorizationExpired,
    Busy,
    DomainError,
    FactorSetupRequired,
    IdentityBlocked,
    IdentityElsewhere,
    InvalidCredentials,
    NotSignedIn,
    ProviderAnswerRefused,
    ProviderProofTooOld,
    ProviderUnavailable,
    SignInStepExpired,
)
from webapp.gateways.provider_http import one_deadline
from webapp.gateways.relying_party import ProvenIdentity
from webapp.models import LoginSession
from webapp.policy.authorization import Intent as Intent
from webapp.policy.login_sessions import EndReason, is_fresh
from webapp.policy.security_events import EventKind
from webapp.services import app_codes, link_offers, linking, passwords, sign_in
from webapp.services.authorization import Arrival, take_back
from webapp.services.client import Client
from webapp.services.identities import find_identity
from webapp.services.linking import News as News
from webapp.services.login_sessions import SignedIn, end_login_sessions, lock_live, require_fresh
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security, record_event
from webapp.services.transaction import transaction


@dataclass(frozen=True)
class Answer:
    """An authorization response (RFC 6749, sections 4.1.2 and 4.1.2.1; RFC 9207)."""

    state: str = field(repr=False)
    code: str | None = field(repr=False)
    error: str | None
    issuer: str | None


@dataclass(frozen=True)
class SignedInBy:
    """Somebody signed in by a provider."""

    outcome: sign_in.Started | sign_in.Pending
    next_path: str
    news: News | None
    label: str


@dataclass(frozen=True)
class SignedInToLink:
    """Somebody signed in to the account that was there already; `linked`, unless more has to be proven before."""

    outcome: sign_in.Started | sign_in.Pending
    linked: bool


@dataclass(frozen=True)
class Linked:
    """Somebody who is signed in linked an identity; `is_new` where it was not linked before."""

    label: str
    next_path: str
    is_new: bool


@dataclass(frozen=True)
class ProvenAgain:
    """Somebody who is signed in has proven again who they are, at `at`; `in_full`, unless their second factor is to
    follow.
    """

    next_path: str
    at: datetime
    in_full: bool


@dataclass(frozen=True)
class BackToApp:
    """The browser goes back to the app that sent it."""

    url: str


Ending = SignedInBy | Linked | ProvenAgain | BackToApp


def finish(
    provider: str, answer: Answer, browser: str | None, signed_in: SignedIn | None, client: Client, *, locale: str
) -> Ending:
    """Take somebody back from a provider and do what they were sent for.

    Raises AuthorizationExpired where nobody was sent; and with `next_path`, `intent` and, for an app, `way_back` in the
    details: AuthorizationDenied, ProviderAnswerRefused, ProviderUnavailable, and what admits, links and signs in.
    """
    arrival = take_back(provider, answer.state, browser, client)
    try:
        proven = _proven(arrival, answer)
        return _ENDINGS[arrival.errand.intent](arrival, proven, signed_in, client, locale)
    except AuthorizationDenied:
        if arrival.errand.app is None:
            raise _with_way_back(AuthorizationDenied(), arrival) from None
        return BackToApp(app_codes.answer_to_app(arrival.errand.app, error="access_denied"))
    except (NotSignedIn, InvalidCredentials):  # signed out, or the account gone, since they left
        raise _with_way_back(AuthorizationExpired(), arrival) from None
    except DomainError as error:
        if isinstance(error, ProviderAnswerRefused):
            log_security("provider_answer_refused", provider=provider, reason=str(error.details.get("reason")))
        raise _with_way_back(error, arrival) from None


def link_by_password(provider: str, handle: str | None, password: str, client: Client) -> SignedInToLink:
    """Sign in by password to the account that an offer is about, and link the identity that waits. Where a step stands
    before the login session, or the password is not all that the account asks for, the offer waits for
    `link_after_sign_in`.

    Raises SignInStepExpired, or what `verify_password`, `start_sign_in` and `link` raise; nobody is signed in then.
    """
    offered = link_offers.find_offer(provider, handle)
    proof = passwords.verify_password(offered.email, password, client)
    outcome = sign_in.start_sign_in(proof, client, kind="web")
    links = isinstance(outcome, sign_in.Started) and outcome.in_full
    if isinstance(outcome, sign_in.Started) and links:
        try:
            _link_offered(provider, handle, outcome.user_id, client)
        except DomainError:
            with transaction() as tx:  # no browser gets it
                begun = LoginSession.id == outcome.login_session_id
                end_login_sessions(tx, outcome.user_id, EndReason.REPLACED, begun)
            raise
    return SignedInToLink(outcome, linked=links)


def link_after_sign_in(provider: str, handle: str | None, signed_in: SignedIn, client: Client) -> None:
    """Link the identity that waits, now that its account's owner has signed in. Raises SignInStepExpired,
    ReauthenticationRequired where that was long ago, FactorSetupRequired where a factor is demanded and there is none,
    or what `link` raises.
    """
    require_fresh(signed_in)
    if runtime().settings.MFA_REQUIRED and not signed_in.has_factor:
        raise FactorSetupRequired
    with transaction() as tx:
        lock_live(tx, signed_in)
    _link_offered(provider, handle, signed_in.user_id, client)


def _link_offered(provider: str, handle: str | None, user_id: uuid.UUID, client: Client) -> None:
    config = runtime().relying_parties[provider].config
    try:
        with transaction() as tx:
            user, proven = link_offers.take_offer(tx, provider, handle)
            if user.id != user_id:
                raise SignInStepExpired
            linking.link_to(tx, user, proven, config, client)
    except IntegrityError:  # somebody linked it elsewhere in the meantime
        raise IdentityElsewhere from None


@one_deadline()
def _proven(arrival: Arrival, answer: Answer) -> ProvenIdentity:
    arrival.provider.check_response_issuer(answer.issuer)
    if answer.error is not None:  # after state and issuer, and never shown: whoever sent it may have chosen the words
        log_security("authorization_denied", provider=arrival.provider.config.name)
        raise AuthorizationDenied
    if not answer.code:
        raise ProviderAnswerRefused(reason="code")
    proven = arrival.provider.exchange(answer.code, arrival.handshake)
    if proven.issuer != arrival.issuer:
        raise ProviderAnswerRefused(reason="issuer")
    return proven


def _sign_in(
    arrival: Arrival, proven: ProvenIdentity, _signed_in: SignedIn | None, client: Client, locale: str
) -> SignedInBy:
    config = arrival.provider.config
    admitted = linking.admit(proven, config, client, locale=locale)
    outcome = sign_in.start_sign_in(admitted.proof, client, kind="web")
    return SignedInBy(outcome, arrival.errand.next_path, admitted.news, config.label)


def _link(arrival: Arrival, proven: ProvenIdentity, signed_in: SignedIn | None, client: Client, _locale: str) -> Linked:
    me = _asked_by(arrival, signed_in)
    config = arrival.provider.config
    is_new = linking.link(me, proven, config, client)
    return Linked(config.label, arrival.errand.next_path, is_new=is_new)


def _prove_again(
    arrival: Arrival, proven: ProvenIdentity, signed_in: SignedIn | None, client: Client, _locale: str
) -> ProvenAgain:
    """Only a provider that says when the person last proved who they are says that they did so now (ASVS 6.8.4)."""
    me = _asked_by(arrival, signed_in)
    if proven.auth_time is None or not is_fresh(proven.auth_time, clock.now()):
        raise ProviderProofTooOld
    proven_at = min(proven.auth_time, clock.now())
    with transaction() as tx:
        _, login_session = lock_live(tx, me)
        identity = find_identity(tx, proven)
        if identity is None or identity.user_id != me.user_id:
            raise IdentityElsewhere
        if identity.blocked_at is not None:
            raise IdentityBlocked
        if me.has_factor:  # the provider is one factor, whatever it asked for itself
            return ProvenAgain(arrival.errand.next_path, proven_at, in_full=False)
        login_session.auth_time = max(login_session.auth_time, proven_at)
        record_event(
            tx,
            me.user_id,
            EventKind.REAUTHENTICATED,
            client,
            login_session_id=me.login_session_id,
            provider=arrival.provider.config.label,
        )
    return ProvenAgain(arrival.errand.next_path, proven_at, in_full=True)


def _let_app_in(
    arrival: Arrival, proven: ProvenIdentity, _signed_in: SignedIn | None, client: Client, locale: str
) -> BackToApp:
    app = arrival.errand.app
    assert app is not None
    admitted = linking.admit(proven, arrival.provider.config, client, locale=locale)
    code = app_codes.issue_app_code(admitted.proof, app)
    return BackToApp(app_codes.answer_to_app(app, code=code))


_ENDINGS: Mapping[Intent, Callable[[Arrival, ProvenIdentity, SignedIn | None, Client, str], Ending]] = {
    Intent.SIGN_IN: _sign_in,
    Intent.LINK: _link,
    Intent.REAUTHENTICATE: _prove_again,
    Intent.APP: _let_app_in,
}


def _asked_by(arrival: Arrival, signed_in: SignedIn | None) -> SignedIn:
    """Whoever is signed in now has to be who was sent."""
    if signed_in is None:
        raise NotSignedIn
    if signed_in.login_session_id != arrival.errand.login_session_id:
        raise AuthorizationExpired
    return signed_in


def _with_way_back(error: DomainError, arrival: Arrival) -> DomainError:
    errand = arrival.errand
    told: dict[str, object] = {"next_path": errand.next_path, "intent": errand.intent, **error.details}
    if errand.app is not None:
        is_passing = isinstance(error, ProviderUnavailable | Busy)
        told["way_back"] = app_codes.answer_to_app(
            errand.app, error="temporarily_unavailable" if is_passing else "access_denied"
        )
    error.details = told
    return error
