"""An account has the address of an identity that is new here: whoever came with it may link the two, once they have
signed in to the account the old way. Until then the identity waits, sealed, and opens nothing.
"""

import json
from base64 import b64decode, b64encode
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
from webapp.services.one_time import get_token, issue_token
from webapp.services.runtime import runtime
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
        token = get_offer(tx, provider, handle)
        user = tx.get_one(User, token.user_id)
        linked = set(tx.scalars(select(Identity.provider).where(Identity.user_id == user.id)))
        proven = waiting_identity(token)
    found = runtime().relying_parties
    return LinkOffer(
        user.email,
        found[provider].config.label,
        proven.email,
        has_password=user.password_hash is not None,
        other_providers=tuple(name for name in found if name in linked),
    )


def get_offer(tx: Session, provider: str, handle: str | None) -> OneTimeToken:
    """The row of an offer that still holds. Raises SignInStepExpired."""
    try:
        token = get_token(tx, handle or "", Purpose.LINK_IDENTITY)
    except LinkInvalid:
        raise SignInStepExpired from None
    if token.data["provider"] != provider or provider not in runtime().relying_parties:
        raise SignInStepExpired
    return token


def waiting_identity(token: OneTimeToken) -> ProvenIdentity:
    """The identity that waits behind an offer."""
    sealed = b64decode(token.data["sealed"])
    held: dict[str, Any] = json.loads(runtime().sealer.open(sealed, purpose=_PURPOSE, bound_to=str(token.user_id)))
    tokens = held.pop("tokens")
    auth_time = held.pop("auth_time")
    return ProvenIdentity(
        **held,
        auth_time=datetime.fromisoformat(auth_time) if auth_time else None,
        tokens=None
        if tokens is None
        else ProviderTokens(**{**tokens, "expires_at": datetime.fromisoformat(tokens["expires_at"])}),
    )
