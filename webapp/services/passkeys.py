"""An account's passkeys: added, named, taken away."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from webauthn import generate_registration_options, options_to_json, verify_registration_response
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from webapp import clock
from webapp.errors import NotFound, PasskeyKnown, TooManyPasskeys
from webapp.models import Passkey
from webapp.models.passkey import CREDENTIAL_ID_LENGTH, NAME_LENGTH
from webapp.policy.names import clean_name
from webapp.services.client import Client
from webapp.services.devices import device_name
from webapp.services.factors import added_factor, removed_factor
from webapp.services.login_sessions import SignedIn, lock_live, require_fresh
from webapp.services.passkey_challenges import (
    CHALLENGE_LIFE,
    MALFORMED,
    challenge_of,
    for_registration,
    new_challenge,
    refused,
    spend_challenge,
)
from webapp.services.passkey_keys import ALGORITHMS, require_plain
from webapp.services.passkey_proofs import descriptors
from webapp.services.runtime import runtime
from webapp.services.transaction import transaction

MOST_A_USER = 20
_TRANSPORTS = tuple(transport.value for transport in AuthenticatorTransport)
_PLUGGED_IN = frozenset({"usb", "nfc", "ble"})


class Kind(StrEnum):
    """Where a passkey lives."""

    SYNCED = auto()  # wherever its owner's password manager is
    SECURITY_KEY = auto()
    ONE_DEVICE = auto()


@dataclass(frozen=True)
class PasskeyLine:
    """One passkey of the list."""

    id: uuid.UUID
    name: str
    kind: Kind
    created_at: datetime
    last_used_at: datetime | None


def list_passkeys(signed_in: SignedIn) -> list[PasskeyLine]:
    """The passkeys of an account, the oldest first."""
    query = select(Passkey).where(Passkey.user_id == signed_in.user_id).order_by(Passkey.id)
    with transaction() as tx:
        return [
            PasskeyLine(row.id, row.name, _kind(row), row.created_at, row.last_used_at) for row in tx.scalars(query)
        ]


def registration_options(signed_in: SignedIn) -> dict[str, Any]:
    """What a browser needs to make a passkey. Raises ReauthenticationRequired or TooManyPasskeys."""
    require_fresh(signed_in)
    with transaction() as tx:
        known = list(tx.scalars(select(Passkey).where(Passkey.user_id == signed_in.user_id)))
    if len(known) >= MOST_A_USER:
        raise TooManyPasskeys
    settings = runtime().settings
    options = generate_registration_options(
        rp_id=settings.passkey_host,
        rp_name=settings.SITE_NAME,
        user_id=signed_in.user_id.bytes,
        user_name=signed_in.email,
        user_display_name=signed_in.name or signed_in.email,
        challenge=new_challenge(for_registration(signed_in.login_session_id)),
        timeout=int(CHALLENGE_LIFE.total_seconds() * 1000),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=descriptors(known),
        supported_pub_key_algs=ALGORITHMS,
    )
    told: dict[str, Any] = json.loads(options_to_json(options))
    return told


def add_passkey(signed_in: SignedIn, credential: Mapping[str, Any], name: str, client: Client) -> None:
    """Write down a passkey that a browser made. Raises PasskeyRefused, PasskeyKnown, TooManyPasskeys, NotSignedIn or
    ReauthenticationRequired.
    """
    require_fresh(signed_in)
    challenge = challenge_of(credential, for_registration(signed_in.login_session_id))
    settings = runtime().settings
    try:
        require_plain(credential)
        made = verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=settings.passkey_host,
            expected_origin=settings.passkey_origins,
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
    except MALFORMED as error:
        raise refused(type(error).__name__, signed_in.user_id) from None
    if len(made.credential_id) > CREDENTIAL_ID_LENGTH:
        raise refused("credential_id", signed_in.user_id)
    try:
        with transaction() as tx:
            user, login_session = lock_live(tx, signed_in)
            spend_challenge(tx, challenge)
            count = tx.scalar(select(func.count()).select_from(Passkey).where(Passkey.user_id == user.id)) or 0
            if count >= MOST_A_USER:
                raise TooManyPasskeys
            synced = made.credential_device_type is CredentialDeviceType.MULTI_DEVICE
            tx.add(
                Passkey(
                    user_id=user.id,
                    credential_id=made.credential_id,
                    public_key=made.credential_public_key,
                    sign_count=made.sign_count,
                    transports=_transports(credential),
                    name=_named(name, client),
                    synced=synced,
                    backed_up=made.credential_backed_up,
                    created_at=clock.now(),
                )
            )
            tx.flush()
            added_factor(tx, user, login_session, ("swk" if synced else "hwk",), "passkey", client)
    except IntegrityError:
        raise PasskeyKnown from None


def rename_passkey(signed_in: SignedIn, passkey_id: uuid.UUID, name: str, client: Client) -> None:
    """Call a passkey something else. Raises NotFound or ReauthenticationRequired."""
    require_fresh(signed_in)
    with transaction() as tx:
        lock_live(tx, signed_in)
        row = tx.get(Passkey, passkey_id)
        if row is None or row.user_id != signed_in.user_id:
            raise NotFound
        row.name = _named(name, client)


def remove_passkey(signed_in: SignedIn, passkey_id: uuid.UUID, client: Client) -> None:
    """Take a passkey away. Raises NotFound, ReauthenticationRequired or LastFactorRequired."""
    require_fresh(signed_in)
    with transaction() as tx:
        user, login_session = lock_live(tx, signed_in)
        row = tx.get(Passkey, passkey_id, with_for_update=True)
        if row is None or row.user_id != user.id:
            raise NotFound
        tx.delete(row)
        removed_factor(tx, user, login_session, "passkey", client)


def _kind(passkey: Passkey) -> Kind:
    if passkey.synced:
        return Kind.SYNCED
    transports = frozenset(passkey.transports.split())
    return Kind.SECURITY_KEY if transports and transports <= _PLUGGED_IN else Kind.ONE_DEVICE


def _transports(credential: Mapping[str, Any]) -> str:
    told = credential["response"].get("transports")
    return " ".join(name for name in _TRANSPORTS if name in told) if isinstance(told, list) else ""


def _named(name: str, client: Client) -> str:
    return (clean_name(name) or device_name(client.user_agent))[:NAME_LENGTH]
