"""An account has the address of an identity that is new here: whoever came with it may link the two, once they have
signed in to the account the old way. Until then the identity waits, sealed, and opens nothing.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.errors import LinkInvalid, SignInStepExpired
from webapp.gateways.relying_party import ProvenIdentity, ProviderTokens
from webapp.models import Identity, OneTimeToken, User
from webapp.policy.one_time import Purpose
from webapp.provider_settings import ProviderConfig
from webapp.services.addresses import address_key
from webapp.services.one_time import get_token, issue_token, spend_token
from webapp.services.runtime import runtime
from webapp.services.sealing import SealBroken
from webapp.services.transaction import transaction

_PURPOSE = "link offer"


@dataclass(frozen=True)
class LinkOffer:
    """What the page of an offer shows: the account, what is to open it, and how its owner can sign in until then."""

    email: str  # of the account
    label: str  # of the provider
    identity_email: str | None  # at the provider
    has_password: bool
    other_providers: tuple[str, ...]  # by which the account is opened already


def offer(tx: Session, user: User, proven: ProvenIdentity, config: ProviderConfig) -> str:
    """Have an identity wait to be linked to an account; gives the secret that goes on."""
    held = json.dumps(asdict(proven), default=str).encode()
    # The user's id is what it is bound to: it can be linked to no other account.
    sealed = runtime().sealer.seal(held, purpose=_PURPOSE, bound_to=str(user.id))
    data = {"provider": config.name, "sealed": b64encode(sealed).decode()}
    return issue_token(tx, user.id, Purpose.LINK_IDENTITY, data=data)


def find_offer(provider: str, handle: str | None) -> LinkOffer:
    """What an offer is about; spends nothing. Raises SignInStepExpired."""
    with transaction() as tx:
        user, proven = _opened(tx, _token(get_token, tx, handle), provider)
        opened_by = (Identity.user_id == user.id, Identity.blocked_at.is_(None))
        linked = set(tx.scalars(select(Identity.provider).where(*opened_by)))
    found = runtime().relying_parties
    return LinkOffer(
        user.email,
        found[provider].config.label,
        proven.email,
        has_password=user.password_hash is not None,
        other_providers=tuple(name for name in found if name in linked),
    )


def take_offer(tx: Session, provider: str, handle: str | None) -> tuple[User, ProvenIdentity]:
    """Use up an offer: its account, the row locked, and the identity that waits. Raises SignInStepExpired."""
    return _opened(tx, _token(spend_token, tx, handle), provider)


def _token(find: Callable[[Session, str, Purpose], OneTimeToken], tx: Session, handle: str | None) -> OneTimeToken:
    try:
        return find(tx, handle or "", Purpose.LINK_IDENTITY)
    except LinkInvalid:
        raise SignInStepExpired from None


def _opened(tx: Session, token: OneTimeToken, provider: str) -> tuple[User, ProvenIdentity]:
    """What stands in an offer, while the account still has the address that led to it: whoever came with that address
    is to learn of no other.
    """
    user = tx.get_one(User, token.user_id)
    if token.data["provider"] != provider or provider not in runtime().relying_parties:
        raise SignInStepExpired
    try:
        held = runtime().sealer.open(b64decode(token.data["sealed"]), purpose=_PURPOSE, bound_to=str(user.id))
    except SealBroken:  # by a key that was taken away since
        raise SignInStepExpired from None
    proven = _identity_of(json.loads(held))
    if address_key(proven.email or "") != user.email_key:
        raise SignInStepExpired
    return user, proven


def _identity_of(held: dict[str, Any]) -> ProvenIdentity:
    tokens, auth_time = held.pop("tokens"), held.pop("auth_time")
    return ProvenIdentity(
        **held,
        auth_time=datetime.fromisoformat(auth_time) if auth_time else None,
        tokens=None
        if tokens is None
        else ProviderTokens(**{**tokens, "expires_at": datetime.fromisoformat(tokens["expires_at"])}),
    )
