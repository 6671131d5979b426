"""Everything held about a user, in a form they can take away."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp import clock
from webapp.models import (
    Base,
    Identity,
    KnownDevice,
    LoginSession,
    OneTimeToken,
    Passkey,
    ProviderGrant,
    RecoveryCode,
    SecurityEvent,
    TotpFactor,
    TrustedBrowser,
    User,
)
from webapp.policy.one_time import Purpose
from webapp.policy.security_events import EventKind
from webapp.policy.throttling import Limit
from webapp.services.client import Client
from webapp.services.login_sessions import SignedIn, require_fresh
from webapp.services.runtime import runtime
from webapp.services.security_events import record_event
from webapp.services.transaction import transaction

# Hashes, keys and what is sealed say nothing about a person and help only a thief of the file (ASVS 14.2.6).
SECRET_COLUMNS = frozenset(
    {
        *("password_hash", "token_hash", "device_hash", "handle_hash", "code_hash", "secret_hash"),
        *("email_key", "user_id", "sealed", "credential_id", "public_key"),
    }
)
_Owned = (
    LoginSession
    | SecurityEvent
    | KnownDevice
    | OneTimeToken
    | Identity
    | TotpFactor
    | RecoveryCode
    | Passkey
    | TrustedBrowser
)
_OWNED: dict[str, type[_Owned]] = {
    "login_sessions": LoginSession,
    "security_events": SecurityEvent,
    "known_devices": KnownDevice,
    "mailed_links": OneTimeToken,
    "identities": Identity,
    "totp_factors": TotpFactor,
    "recovery_codes": RecoveryCode,
    "passkeys": Passkey,
    "trusted_browsers": TrustedBrowser,
}
_NOT_MAILED = (Purpose.APP_CODE, Purpose.LINK_IDENTITY)  # steps of a sign-in, over within minutes


def export_account(signed_in: SignedIn, client: Client) -> dict[str, Any]:
    """All that is held about the user, as plain values for JSON. Times are ISO 8601 in UTC.

    Raises ReauthenticationRequired or TooManyAttempts.
    """
    require_fresh(signed_in)
    runtime().throttle.hit(Limit.EXPORT, str(signed_in.user_id))
    with transaction() as tx:
        record_event(
            tx, signed_in.user_id, EventKind.DATA_EXPORTED, client, login_session_id=signed_in.login_session_id
        )
        tx.flush()
        return {
            "exported_at": clock.now().isoformat(),
            "account": _plain(tx.get_one(User, signed_in.user_id)),
            **{name: _rows(tx, model, signed_in) for name, model in _OWNED.items()},
            "provider_grants": _grants(tx, signed_in),
        }


def _rows(tx: Session, model: type[_Owned], signed_in: SignedIn) -> list[dict[str, Any]]:
    order = model.created_at if not issubclass(model, SecurityEvent) else model.at
    query = select(model).where(model.user_id == signed_in.user_id).order_by(order)
    if issubclass(model, OneTimeToken):
        query = query.where(model.purpose.not_in(_NOT_MAILED))
    return [_plain(row) for row in tx.scalars(query)]


def _grants(tx: Session, signed_in: SignedIn) -> list[dict[str, Any]]:
    """What the user lets the site do at providers, without the tokens for it."""
    query = select(ProviderGrant).join(Identity, Identity.id == ProviderGrant.identity_id)
    return [_plain(row) for row in tx.scalars(query.where(Identity.user_id == signed_in.user_id))]


def _plain(row: Base) -> dict[str, Any]:
    columns = [column.name for column in row.__table__.columns if column.name not in SECRET_COLUMNS]
    return {name: _value(getattr(row, name)) for name in columns}


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | dict) else str(value)
