"""Somebody is sent to an OpenID provider, and comes back: once, with what we gave along, in the browser that left.

What went along (state, nonce, PKCE verifier) is fresh for each request and bound to the browser by a cookie of its own,
which says nothing about who is signed in (ASVS 10.1.2; RFC 9700, sections 2.1 and 4.7).
"""

import json
import secrets
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import AuthorizationExpired, NotFound
from webapp.gateways.relying_party import Handshake, RelyingParty
from webapp.models import AuthorizationRequest
from webapp.policy.authorization import LONGEST_NEXT, MOST_A_BROWSER, REQUEST_LIFE, Intent
from webapp.policy.throttling import Limit, network_of
from webapp.services.client import Client
from webapp.services.newest import drop_beyond_newest
from webapp.services.one_time import digest
from webapp.services.runtime import runtime
from webapp.services.sealing import SealBroken
from webapp.services.transaction import transaction

SECRET_BYTES = 32  # 256 bits (ASVS 11.5.1)
_SEALED = "authorization request"


@dataclass(frozen=True)
class AppRequest:
    """An app that waits for a code of ours: where, with what in its hand (RFC 6749, 4.1.1; RFC 7636, 4.3)."""

    redirect_uri: str
    state: str
    code_challenge: str


@dataclass(frozen=True)
class Errand:
    """What somebody is sent to a provider for, and where they are to go on."""

    intent: Intent
    next_path: str = ""
    login_session_id: uuid.UUID | None = None  # who asked, where that matters
    login_hint: str = ""
    asks_which: bool = False  # the provider is to ask which account it shall be
    app: AppRequest | None = None


@dataclass(frozen=True)
class Departure:
    """Where to send the browser, and the secret it is to keep until it is back."""

    url: str = field(repr=False)
    browser: str = field(repr=False)
    leads_elsewhere: bool  # to an origin that our forms are not known to lead to


@dataclass(frozen=True)
class Arrival:
    """A request that somebody came back with: what it was for, and the secrets that went along."""

    provider: RelyingParty
    issuer: str
    errand: Errand
    handshake: Handshake


def relying_party(name: str) -> RelyingParty:
    """The site at a provider, by the provider's name. Raises NotFound."""
    found = runtime().relying_parties.get(name)
    if found is None:
        raise NotFound
    return found


def send_to_provider(name: str, errand: Errand, browser: str | None, client: Client) -> Departure:
    """Begin an authorization request from the browser that holds `browser`, if it is one of ours.

    Raises NotFound, TooManyAttempts or ProviderUnavailable.
    """
    provider = relying_party(name)
    runtime().throttle.hit(Limit.AUTHORIZATION_NETWORK, network_of(client.ip))
    handshake = Handshake(*(secrets.token_urlsafe(SECRET_BYTES) for _ in range(3)))
    url = provider.authorization_url(handshake, **_wishes(errand))
    issuer = provider.issuer
    browser = browser or secrets.token_urlsafe(SECRET_BYTES)
    with transaction() as tx:
        now = clock.now()
        tx.add(
            AuthorizationRequest(
                state_hash=digest(handshake.state),
                browser_hash=digest(browser),
                provider=name,
                issuer=issuer,
                intent=errand.intent,
                sealed=_seal(handshake, errand),
                created_at=now,
                expires_at=now + REQUEST_LIFE,
            )
        )
        tx.flush()
        _make_room(tx, digest(browser))
    return Departure(url, browser, leads_elsewhere=provider.leads_elsewhere(url))


def take_back(name: str, state: str, browser: str | None, client: Client) -> Arrival:
    """The request that somebody comes back with; it works once. Raises AuthorizationExpired or TooManyAttempts."""
    provider = relying_party(name)
    spent = None
    if browser is not None:
        with transaction() as tx:
            spent = tx.execute(
                delete(AuthorizationRequest)
                .where(
                    AuthorizationRequest.state_hash == digest(state),
                    AuthorizationRequest.browser_hash == digest(browser),
                    AuthorizationRequest.provider == name,
                    AuthorizationRequest.expires_at > clock.now(),
                )
                .returning(AuthorizationRequest.issuer, AuthorizationRequest.intent, AuthorizationRequest.sealed)
                .execution_options(synchronize_session=False)
            ).one_or_none()
    if spent is None:
        # Whoever comes back without having been sent counts as one who starts.
        runtime().throttle.hit(Limit.AUTHORIZATION_NETWORK, network_of(client.ip))
        raise AuthorizationExpired
    try:
        handshake, errand = _open(spent.sealed, state, Intent(spent.intent))
    except SealBroken:  # by a key that was taken away since
        raise AuthorizationExpired from None
    return Arrival(provider, spent.issuer, errand, handshake)


def _wishes(errand: Errand) -> dict[str, str]:
    """What the provider is asked for beside the usual. Nothing more than is needed (ASVS 10.2.3)."""
    hint = {"login_hint": errand.login_hint} if errand.login_hint else {}
    if errand.intent is Intent.REAUTHENTICATE:
        told = {"id_token": {"auth_time": {"essential": True}}}
        return {"max_age": "0", "claims": json.dumps(told, separators=(",", ":")), **hint}
    # Any app on a machine can claim a scheme or a port. Where nothing vouches for who asks, the person at least sees
    # that somebody does (RFC 8252, section 8.6).
    is_unnamed = errand.app is not None and not errand.app.redirect_uri.startswith("https:")
    if errand.intent is Intent.LINK or errand.asks_which or is_unnamed:
        return {"prompt": "select_account"}
    return hint


def _seal(handshake: Handshake, errand: Errand) -> bytes:
    held: dict[str, Any] = {
        "nonce": handshake.nonce,
        "code_verifier": handshake.code_verifier,
        "next": errand.next_path if len(errand.next_path) <= LONGEST_NEXT else "",
        "login_session_id": str(errand.login_session_id) if errand.login_session_id else None,
        "app": asdict(errand.app) if errand.app else None,
    }
    return runtime().sealer.seal(json.dumps(held).encode(), purpose=_SEALED, bound_to=digest(handshake.state))


def _open(sealed: bytes, state: str, intent: Intent) -> tuple[Handshake, Errand]:
    held = json.loads(runtime().sealer.open(sealed, purpose=_SEALED, bound_to=digest(state)))
    asked = held["login_session_id"]
    errand = Errand(
        intent,
        next_path=held["next"],
        login_session_id=uuid.UUID(asked) if asked else None,
        app=AppRequest(**held["app"]) if held["app"] else None,
    )
    return Handshake(state, held["nonce"], held["code_verifier"]), errand


def _make_room(tx: Session, browser_hash: str) -> None:
    """The newest few of a browser stay."""
    mine = AuthorizationRequest.browser_hash == browser_hash
    order = (AuthorizationRequest.created_at.desc(), AuthorizationRequest.state_hash)
    drop_beyond_newest(tx, AuthorizationRequest.state_hash, mine, order=order, keep=MOST_A_BROWSER)
