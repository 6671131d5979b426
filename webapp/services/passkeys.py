"""An account's passkeys: added, named, taken away."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from webauthn import generate_registration_options, options_to_json, verify_registration_response
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from webapp import clock
from webapp.errors import NotFound, PasskeyKnown, PasskeyRefused, TooManyPasskeys
from webapp.models import Passkey
from webapp.models.passkey import CREDENTIAL_ID_LENGTH, NAME_LENGTH
from webapp.policy.names import clean_name
from webapp.services.client import Client
from webapp.services.devices import device_name
from webapp.services.factors import added_factor, removed_factor
from webapp.services.login_sessions import SignedIn, lock_live, require_fresh
from webapp.services.passkey_proofs import (
    CHALLENGE_LIFE,
    MALFORMED,
    challenge_of,
    encoded,
    new_challenge,
    spend_challenge,
)
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security
from webapp.services.transaction import transaction

MOST_A_USER = 20
_TRANSPORTS = frozenset({"usb", "nfc", "ble", "smart-card", "hybrid", "internal"})


@dataclass(frozen=True)
class PasskeyLine:
    """One passkey of the list."""

    id: uuid.UUID
    name: str
    synced: bool
    created_at: datetime
    last_used_at: datetime | None


def list_passkeys(signed_in: SignedIn) -> list[PasskeyLine]:
    """The passkeys of an account, the oldest first."""
    query = select(Passkey).where(Passkey.user_id == signed_in.user_id).order_by(Passkey.id)
    with transaction() as tx:
        return [
            PasskeyLine(row.id, row.name, row.synced, row.created_at, row.last_used_at) for row in tx.scalars(query)
        ]


def registration_options(signed_in: SignedIn) -> dict[str, Any]:
    """What a browser needs to make a passkey. Raises ReauthenticationRequired or TooManyPasskeys."""
    require_fresh(signed_in)
    with transaction() as tx:
        known = list(tx.scalars(select(Passkey.credential_id).where(Passkey.user_id == signed_in.user_id)))
    if len(known) >= MOST_A_USER:
        raise TooManyPasskeys
    settings = runtime().settings
    options = generate_registration_options(
        rp_id=settings.passkey_host,
        rp_name=settings.SITE_NAME,
        user_id=signed_in.user_id.bytes,
        user_name=signed_in.email,
        user_display_name=signed_in.name or signed_in.email,
        challenge=new_challenge(_for_registration(signed_in)),
        timeout=int(CHALLENGE_LIFE.total_seconds() * 1000),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=credential_id) for credential_id in known],
    )
    told: dict[str, Any] = json.loads(options_to_json(options))
    return told


def add_passkey(signed_in: SignedIn, credential: Mapping[str, Any], name: str, client: Client) -> None:
    """Write down a passkey that a browser made. Raises PasskeyRefused, PasskeyKnown, TooManyPasskeys, NotSignedIn or
    ReauthenticationRequired.
    """
    require_fresh(signed_in)
    challenge = challenge_of(credential, _for_registration(signed_in))
    settings = runtime().settings
    try:
        made = verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=settings.passkey_host,
            expected_origin=settings.passkey_origins,
            require_user_verification=True,
        )
    except MALFORMED as error:
        log_security("passkey_refused", reason=type(error).__name__, user_id=signed_in.user_id)
        raise PasskeyRefused from None
    if len(made.credential_id) > CREDENTIAL_ID_LENGTH:
        raise PasskeyRefused
    try:
        with transaction() as tx:
            user, login_session = lock_live(tx, signed_in)
            spend_challenge(tx, encoded(challenge))
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


def _for_registration(signed_in: SignedIn) -> str:
    return f"register for {signed_in.user_id}"


def _transports(credential: Mapping[str, Any]) -> str:
    told = credential.get("response", {}).get("transports")
    known = [name for name in told if name in _TRANSPORTS] if isinstance(told, list) else []
    return " ".join(dict.fromkeys(known))


def _named(name: str, client: Client) -> str:
    return (clean_name(name) or device_name(client.user_agent))[:NAME_LENGTH]
