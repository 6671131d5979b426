"""ID tokens that an app gets from a provider's own SDK on the device, with a nonce of ours in them.

The nonce is what makes such a token ours: without it, one that was made for this site long ago, or for another screen
of the same app, could be shown again (OpenID Connect Core 1.0, section 15.5.2; ASVS 10.5.1). It is authenticated, not
stored: asking for one costs no row. What has been used is remembered until it would be too old anyway.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import IntegrityError

from webapp import clock
from webapp.errors import ProviderAnswerRefused
from webapp.gateways.relying_party import ProvenIdentity
from webapp.policy.authorization import NONCE_LIFE
from webapp.policy.throttling import Limit, network_of
from webapp.services.authorization import relying_party
from webapp.services.client import Client
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security
from webapp.services.spent_values import spend
from webapp.services.transaction import transaction

_RANDOM_BYTES = 24  # 192 bits
_LONGEST = 200  # characters


@dataclass(frozen=True)
class Nonce:
    """A nonce, and for how long it is good."""

    nonce: str
    expires_in: timedelta


def issue_nonce(provider: str, client: Client) -> Nonce:
    """A nonce for one ID token of one provider. Raises NotFound or TooManyAttempts."""
    relying_party(provider)
    runtime().throttle.hit(Limit.APP_PROOF_NETWORK, network_of(client.ip))
    until = int((clock.now() + NONCE_LIFE).timestamp())
    text = f"{until}.{secrets.token_urlsafe(_RANDOM_BYTES)}"
    key = next(iter(runtime().sealer.mac_keys("nonce").values()))
    return Nonce(f"{text}.{_mac(key, provider, text)}", NONCE_LIFE)


def prove_by_id_token(provider: str, id_token: str, nonce: str, client: Client) -> ProvenIdentity:
    """Whom an ID token stands for. It and its nonce are then used up.

    Raises NotFound, TooManyAttempts, ProviderAnswerRefused or ProviderUnavailable.
    """
    found = relying_party(provider)
    runtime().throttle.hit(Limit.APP_PROOF_NETWORK, network_of(client.ip))
    try:
        if not _is_ours(provider, nonce):
            raise ProviderAnswerRefused(reason="nonce")
        proven = found.identify(id_token, nonce)
        if not _spend_once(nonce):
            raise ProviderAnswerRefused(reason="nonce_used")
    except ProviderAnswerRefused as error:
        log_security("provider_answer_refused", provider=provider, reason=str(error.details.get("reason")))
        raise
    return proven


def _spend_once(nonce: str) -> bool:
    """Whether it is the first time that this nonce is shown."""
    try:
        with transaction() as tx:
            spend(tx, "nonce", nonce, NONCE_LIFE)
    except IntegrityError:
        return False
    return True


def _is_ours(provider: str, nonce: str) -> bool:
    text, _, told = nonce.rpartition(".")
    until = text.partition(".")[0]
    if len(nonce) > _LONGEST or not nonce.isascii() or not until.isdigit() or len(until) > 12:
        return False
    keys = runtime().sealer.mac_keys("nonce").values()
    is_authentic = any(hmac.compare_digest(_mac(key, provider, text), told) for key in keys)
    return is_authentic and clock.now().timestamp() < int(until)


def _mac(key: bytes, provider: str, text: str) -> str:
    return hmac.new(key, f"{provider}:{text}".encode(), hashlib.sha256).hexdigest()
