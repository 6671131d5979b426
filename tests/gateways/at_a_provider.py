"""The site as a relying party at the provider of the tests, without the site around it."""

import secrets
import time
from collections.abc import Callable
from typing import Any

from stand_in.people import GMAIL, Person
from tests.providers.client import answer_in
from tests.providers.fixtures import PUBLIC_URL
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from webapp.gateways.relying_party import Handshake, ProvenIdentity, RelyingParty
from webapp.provider_settings import ProviderConfig

Lie = Callable[[LyingProvider], dict[str, Any]]  # claims that are changed
Door = Callable[[], ProvenIdentity]


def relying_party(provider: LyingProvider, **config: Any) -> RelyingParty:
    """One that has asked the provider nothing yet."""
    usual = {
        "name": "google",
        "label": "Google",
        "metadata_url": provider.metadata_url,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
    }
    return RelyingParty(ProviderConfig(**{**usual, **config}), PUBLIC_URL)


def new_handshake() -> Handshake:
    """Secrets for one sign-in."""
    return Handshake(*(secrets.token_urlsafe(32) for _ in range(3)))


def bring_code(
    party: RelyingParty, provider: LyingProvider, handshake: Handshake, person: Person = GMAIL
) -> dict[str, str]:
    """Somebody signs in at the provider; what their browser brings back."""
    return answer_in(provider.approve(party.authorization_url(handshake), person))


def sign_in(
    provider: LyingProvider, person: Person = GMAIL, *, party: RelyingParty | None = None, **config: Any
) -> ProvenIdentity:
    """One whole sign-in with a code. Raises as the relying party does."""
    party = party or relying_party(provider, **config)
    handshake = new_handshake()
    answer = bring_code(party, provider, handshake, person)
    party.check_response_issuer(answer.get("iss"))
    return party.exchange(answer["code"], handshake)


def show_id_token(provider: LyingProvider, *, party: RelyingParty | None = None, **config: Any) -> ProvenIdentity:
    """An app shows an ID token of the provider's SDK. Raises as the relying party does."""
    return (party or relying_party(provider, **config)).identify(provider.id_token(nonce="of this app"), "of this app")


def now() -> int:
    """The time as tokens have it."""
    return int(time.time())


def shown(value: object) -> str:
    """A value as the name of a case: the same in every process."""
    return repr(value).replace(repr(REMOVED), "missing")[:40]
