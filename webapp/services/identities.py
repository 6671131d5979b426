"""Identities at OpenID providers, as rows: written down, seen again, listed, taken away."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import IdentityBlocked, LastWayIn, NotFound
from webapp.gateways.relying_party import ProvenIdentity, RelyingParty
from webapp.models import Identity, LoginSession, ProviderGrant, User
from webapp.models.identity import PICTURE_LENGTH
from webapp.models.user import EMAIL_LENGTH
from webapp.policy.linking import may_unlink
from webapp.policy.login_sessions import EndReason
from webapp.policy.names import clean_name
from webapp.policy.security_events import EventKind
from webapp.provider_settings import ProviderConfig
from webapp.services import account_mail, provider_grants
from webapp.services.addresses import address_key
from webapp.services.client import Client
from webapp.services.login_sessions import SignedIn, end_login_sessions, lock_live, require_fresh
from webapp.services.runtime import runtime
from webapp.services.security_events import record_event
from webapp.services.sign_in import end_steps
from webapp.services.transaction import transaction


@dataclass(frozen=True)
class Connection:
    """One provider that people can sign in with, and what this account has there."""

    provider: str
    label: str
    linked: bool
    email: str | None = None
    email_differs: bool = False  # from the account's
    blocked: bool = False
    linked_at: datetime | None = None
    last_used_at: datetime | None = None
    granted_scopes: tuple[str, ...] = ()


def same_identity(proven: ProvenIdentity) -> tuple[ColumnElement[bool], ...]:
    """What finds the row of an identity: issuer and subject, and nothing else (ASVS 6.8.1, 10.5.2)."""
    return (Identity.issuer == proven.issuer, Identity.subject == proven.subject)


def find_identity(tx: Session, proven: ProvenIdentity) -> Identity | None:
    """The row of an identity, locked, after its user's row: as everybody locks them."""
    same = same_identity(proven)
    owner = tx.scalar(select(Identity.user_id).where(*same))
    if owner is None:
        return None
    tx.get(User, owner, with_for_update=True)
    return tx.scalar(select(Identity).where(*same).with_for_update())


def add_identity(tx: Session, user: User, proven: ProvenIdentity, config: ProviderConfig) -> Identity:
    """Write down that this identity opens this account. Raises IntegrityError where it opens one already."""
    identity = Identity(
        user_id=user.id,
        provider=config.name,
        issuer=proven.issuer,
        subject=proven.subject,
        created_at=clock.now(),
    )
    tx.add(identity)
    note_seen(identity, proven)
    tx.flush()
    return identity


def note_seen(identity: Identity, proven: ProvenIdentity) -> bool:
    """What the provider says of the person now; whether their address there is another than before."""
    before = identity.email
    email = proven.email if proven.email and len(proven.email.encode("utf-8", "replace")) <= EMAIL_LENGTH else None
    identity.email = email
    identity.name = clean_name(proven.name) or None
    picture = proven.picture_url or ""
    is_kept = picture.startswith("https://") and len(picture) <= PICTURE_LENGTH and picture.isascii()
    identity.picture_url = picture if is_kept and picture.isprintable() else None
    identity.last_used_at = clock.now()
    return before is not None and email is not None and address_key(before) != address_key(email)


def list_connections(signed_in: SignedIn) -> list[Connection]:
    """What the account has at every provider there is, and where it has something at one that is no more."""
    grants = select(Identity, ProviderGrant.scope).outerjoin(ProviderGrant, ProviderGrant.identity_id == Identity.id)
    with transaction() as tx:
        rows = tx.execute(grants.where(Identity.user_id == signed_in.user_id).order_by(Identity.id)).all()
    mine = {(row.Identity.provider, row.Identity.issuer): row for row in rows}
    found = []
    for config in runtime().settings.providers:
        row = next((mine.pop(key) for key in list(mine) if key[0] == config.name), None)
        found.append(
            Connection(config.name, config.label, linked=False)
            if row is None
            else _linked(row.Identity, row.scope, config.label, signed_in)
        )
    return [*found, *(_linked(row.Identity, row.scope, name, signed_in) for (name, _), row in mine.items())]


def find_email_at(signed_in: SignedIn, provider: str) -> str | None:
    """The address of the account's identity at a provider. Raises NotFound where it has none."""
    with transaction() as tx:
        mine = (Identity.user_id == signed_in.user_id, Identity.provider == provider)
        found = tx.execute(select(Identity.email).where(*mine).order_by(*_newest(provider)).limit(1)).one_or_none()
    if found is None:
        raise NotFound
    return str(found.email) if found.email else None


def unlink(signed_in: SignedIn, provider: str, client: Client) -> None:
    """Have a provider open this account no more. Sessions that were begun by it elsewhere end, with sign-ins that are
    under way, and what we may do at the provider is taken back there.

    Raises NotFound, NotSignedIn, ReauthenticationRequired, IdentityBlocked, or LastWayIn where nobody could sign in any
    more.
    """
    require_fresh(signed_in)
    with transaction() as tx:
        user, _ = lock_live(tx, signed_in)
        mine = (Identity.user_id == user.id, Identity.provider == provider)
        identity = tx.scalar(select(Identity).where(*mine).order_by(*_newest(provider)).limit(1).with_for_update())
        if identity is None:
            raise NotFound
        if identity.blocked_at is not None:  # the block would go with its row
            raise IdentityBlocked
        if not may_unlink(has_password=_has_password(user), other_identities=_others(tx, identity)):
            raise LastWayIn
        label = label_of(provider)
        provider_grants.give_back(tx, identity)
        tx.delete(identity)
        begun_by_it = (begun_by(provider), LoginSession.id != signed_in.login_session_id)
        end_login_sessions(tx, user.id, EndReason.IDENTITY_UNLINKED, *begun_by_it)
        end_steps(tx, user.id)  # one of them may have been begun by it, too
        record_event(
            tx,
            user.id,
            EventKind.IDENTITY_UNLINKED,
            client,
            login_session_id=signed_in.login_session_id,
            provider=label,
        )
        account_mail.tell_of_unlinking(tx, user, client, provider=label, identity_email=identity.email)


def forget_identities(tx: Session, user_id: uuid.UUID) -> None:
    """Take every identity from an account: somebody else may have linked one. One that is blocked stays, and stays
    blocked: without its row it would be somebody new.
    """
    for identity in tx.scalars(select(Identity).where(Identity.user_id == user_id)):
        provider_grants.give_back(tx, identity)
    forgotten = delete(Identity).where(Identity.user_id == user_id, Identity.blocked_at.is_(None))
    tx.execute(forgotten, execution_options={"synchronize_session": False})


def begun_by(provider: str) -> ColumnElement[bool]:
    """Which login sessions a provider has begun, whatever else was proven in them."""
    return or_(LoginSession.methods == provider, LoginSession.methods.startswith(f"{provider} "))


def label_of(provider: str) -> str:
    """What a provider is called, also where the settings know it no more."""
    found = runtime().relying_parties.get(provider)
    return found.config.label if found else provider


def _newest(provider: str) -> tuple[ColumnElement[Any], ...]:
    """The identity that opens the account now comes before one of an issuer that the settings name no more."""
    found = runtime().relying_parties.get(provider)
    return (*((Identity.issuer.in_(_spelled(found)).desc(),) if found else ()), Identity.id.desc())


def _spelled(relying_party: RelyingParty) -> tuple[str, str]:
    """Its issuer, with the slash at the end that some have."""
    return relying_party.config.issuer, f"{relying_party.config.issuer}/"


def _linked(identity: Identity, scope: str | None, label: str, signed_in: SignedIn) -> Connection:
    differs = identity.email is not None and address_key(identity.email) != address_key(signed_in.email)
    return Connection(
        identity.provider,
        label,
        linked=True,
        email=identity.email,
        email_differs=differs,
        blocked=identity.blocked_at is not None,
        linked_at=identity.created_at,
        last_used_at=identity.last_used_at,
        granted_scopes=tuple((scope or "").split()),
    )


def _has_password(user: User) -> bool:
    return user.password_hash is not None and user.password_blocked_at is None


def _others(tx: Session, identity: Identity) -> int:
    """How many other identities open the account: not blocked, and at a provider that the site still asks."""
    asked = [issuer for found in runtime().relying_parties.values() for issuer in _spelled(found)]
    others = (Identity.user_id == identity.user_id, Identity.id != identity.id, Identity.blocked_at.is_(None))
    usable = select(func.count()).select_from(Identity).where(*others, Identity.issuer.in_(asked))
    return tx.scalar(usable) or 0
