"""What somebody comes back from an OpenID provider for: to sign in, to link, to prove again who they are, or to let an
app in. Each ends where every other door ends.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from webapp import clock
from webapp.errors import (
    AuthorizationDenied,
    AuthorizationExpired,
    DomainError,
    IdentityBlocked,
    IdentityElsewhere,
    NotSignedIn,
    ProviderAnswerRefused,
    ProviderProofTooOld,
    SignInStepExpired,
)
from webapp.gateways.relying_party import ProvenIdentity
from webapp.models import User
from webapp.policy.authorization import Intent as Intent
from webapp.policy.login_sessions import is_fresh
from webapp.policy.one_time import Purpose
from webapp.policy.security_events import EventKind
from webapp.services import app_codes, link_offers, linking, passwords, sign_in
from webapp.services.authorization import AppRequest, Arrival, take_back
from webapp.services.client import Client
from webapp.services.identities import find_identity
from webapp.services.linking import News as News
from webapp.services.login_sessions import SignedIn, lock_live
from webapp.services.one_time import spend_token
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security, record_event
from webapp.services.transaction import transaction


@dataclass(frozen=True)
class Answer:
    """An authorization response (RFC 6749, sections 4.1.2 and 4.1.2.1; RFC 9207)."""

    state: str
    code: str | None
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
class Linked:
    """Somebody who is signed in linked an identity; `is_new` where it was not linked before."""

    label: str
    next_path: str
    is_new: bool


@dataclass(frozen=True)
class ProvenAgain:
    """Somebody who is signed in has proven again who they are."""

    next_path: str


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
        return BackToApp(_app_url(arrival.errand.app, error="access_denied"))
    except DomainError as error:
        if isinstance(error, ProviderAnswerRefused):
            log_security("provider_answer_refused", provider=provider, reason=str(error.details.get("reason")))
        raise _with_way_back(error, arrival) from None


def link_by_password(
    provider: str, handle: str | None, password: str, client: Client
) -> sign_in.Started | sign_in.Pending:
    """Sign in by password to the account that an offer is about, and link the identity that waits. Where a step stands
    before the login session, the offer waits for `link_after_sign_in`.

    Raises SignInStepExpired, or what `verify_password`, `start_sign_in` and `link` raise.
    """
    offered = link_offers.find_offer(provider, handle)
    proof = passwords.verify_password(offered.email, password, client)
    outcome = sign_in.start_sign_in(proof, client, kind="web")
    if isinstance(outcome, sign_in.Started):
        _link_offered(provider, handle, outcome.user_id, client)
    return outcome


def link_after_sign_in(provider: str, handle: str | None, signed_in: SignedIn, client: Client) -> None:
    """Link the identity that waits, now that its account's owner has signed in. Raises SignInStepExpired or what
    `link` raises.
    """
    with transaction() as tx:
        lock_live(tx, signed_in)
    _link_offered(provider, handle, signed_in.user_id, client)


def _link_offered(provider: str, handle: str | None, user_id: object, client: Client) -> None:
    config = runtime().relying_parties[provider].config
    with transaction() as tx:
        token = link_offers.get_offer(tx, provider, handle)
        if token.user_id != user_id:
            raise SignInStepExpired
        proven = link_offers.waiting_identity(token)
        spend_token(tx, handle or "", Purpose.LINK_IDENTITY)
        user = tx.get_one(User, token.user_id, with_for_update=True)
        linking.link_to(tx, user, proven, config, client)


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
    with transaction() as tx:
        _, login_session = lock_live(tx, me)
        identity = find_identity(tx, proven)
        if identity is None or identity.user_id != me.user_id:
            raise IdentityElsewhere
        if identity.blocked_at is not None:
            raise IdentityBlocked
        login_session.auth_time = max(login_session.auth_time, min(proven.auth_time, clock.now()))
        record_event(
            tx,
            me.user_id,
            EventKind.REAUTHENTICATED,
            client,
            login_session_id=me.login_session_id,
            provider=arrival.provider.config.label,
        )
    return ProvenAgain(arrival.errand.next_path)


def _let_app_in(
    arrival: Arrival, proven: ProvenIdentity, _signed_in: SignedIn | None, client: Client, locale: str
) -> BackToApp:
    app = arrival.errand.app
    assert app is not None
    admitted = linking.admit(proven, arrival.provider.config, client, locale=locale)
    code = app_codes.issue_app_code(admitted.proof, app)
    return BackToApp(_app_url(app, code=code))


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
        told["way_back"] = _app_url(errand.app, error="access_denied")
    error.details = told
    return error


def _app_url(app: AppRequest, **parameters: str) -> str:
    """Where an app waits, with our answer to it (RFC 6749, section 4.1.2; RFC 9207, section 2)."""
    parts = urlsplit(app.redirect_uri)
    answer = urlencode({**parameters, "state": app.state, "iss": runtime().settings.PUBLIC_URL})
    query = f"{parts.query}&{answer}" if parts.query else answer
    return urlunsplit(parts._replace(query=query))
