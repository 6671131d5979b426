"""What passkeys sign (Web Authentication Level 3, section 7.2), verified by py_webauthn and by what it leaves to us."""

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from webauthn import generate_authentication_options, options_to_json, verify_authentication_response
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers.structs import (
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    UserVerificationRequirement,
)

from webapp import clock
from webapp.errors import FactorRefused, PasskeyRefused
from webapp.models import Passkey, User
from webapp.policy.throttling import Limit, network_of
from webapp.services.client import Client
from webapp.services.passkey_challenges import (
    CHALLENGE_LIFE,
    MALFORMED,
    challenge_of,
    decoded,
    encoded,
    for_second_factor,
    for_sign_in,
    new_challenge,
    refused,
    spend_challenge,
)
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security
from webapp.services.sign_in import MULTI_FACTOR, Proof
from webapp.services.transaction import transaction


def sign_in_options(browser: str | None = None) -> dict[str, Any]:
    """What a browser needs to sign somebody in by a passkey, whoever they are; `browser` is a secret of its own."""
    return _options(for_sign_in(browser), [], UserVerificationRequirement.REQUIRED)


def factor_options(user_id: uuid.UUID) -> dict[str, Any]:
    """What a browser needs to show one of a user's passkeys after the first factor."""
    with transaction() as tx:
        rows = list(tx.scalars(select(Passkey).where(Passkey.user_id == user_id)))
    return _options(for_second_factor(user_id), rows, UserVerificationRequirement.PREFERRED)


def prove_sign_in(credential: Mapping[str, Any], client: Client, *, browser: str | None = None) -> Proof:
    """Who somebody is by a passkey, unlocked by its owner: two factors in one (NIST SP 800-63B-4, section 3.1.7).

    `browser` is the secret that the options were asked with. Raises PasskeyRefused or TooManyAttempts.
    """
    runtime().throttle.hit(Limit.PASSKEY_NETWORK, network_of(client.ip))
    with transaction() as tx:
        found = _find(tx, credential)
        tx.get(User, found.user_id, with_for_update=True)
        told = _verify(tx, found, credential, for_sign_in(browser), must_be_unlocked=True)
        _require_owner(found, credential, must_be_named=True)
        _note_use(tx, found, told)
        return Proof(found.user_id, (*_methods(found), MULTI_FACTOR), clock.now(), passkey_id=found.id)


def prove_second_factor(tx: Session, user: User, credential: Mapping[str, Any]) -> tuple[str, ...]:
    """The methods that one of the user's passkeys proves after the first factor. Raises FactorRefused."""
    try:
        found = _find(tx, credential)
        if found.user_id != user.id:
            raise refused("somebody_elses", user.id)
        told = _verify(tx, found, credential, for_second_factor(user.id), must_be_unlocked=False)
        _require_owner(found, credential, must_be_named=False)
        _note_use(tx, found, told)
    except PasskeyRefused:
        raise FactorRefused from None
    return _methods(found)


def descriptors(passkeys: Iterable[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    """How a browser is told of passkeys: which, and where to look for them."""
    return [
        PublicKeyCredentialDescriptor(
            id=row.credential_id, transports=[AuthenticatorTransport(name) for name in row.transports.split()] or None
        )
        for row in passkeys
    ]


def _options(purpose: str, passkeys: list[Passkey], verification: UserVerificationRequirement) -> dict[str, Any]:
    options = generate_authentication_options(
        rp_id=runtime().settings.passkey_host,
        challenge=new_challenge(purpose),
        allow_credentials=descriptors(passkeys) or None,
        user_verification=verification,
        timeout=int(CHALLENGE_LIFE.total_seconds() * 1000),
    )
    told: dict[str, Any] = json.loads(options_to_json(options))
    return told


def _find(tx: Session, credential: Mapping[str, Any]) -> Passkey:
    try:
        credential_id = decoded(credential["rawId"])
    except MALFORMED:
        raise refused("malformed") from None
    found = tx.scalar(select(Passkey).where(Passkey.credential_id == credential_id))
    if found is None:
        raise refused("unknown")
    return found


def _verify(
    tx: Session, passkey: Passkey, credential: Mapping[str, Any], purpose: str, *, must_be_unlocked: bool
) -> VerifiedAuthentication:
    challenge = challenge_of(credential, purpose)
    settings = runtime().settings
    try:
        told = verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=settings.passkey_host,
            expected_origin=settings.passkey_origins,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # judged below, so that it is told from a bad signature
            require_user_verification=must_be_unlocked,
        )
    except MALFORMED as error:
        raise refused(type(error).__name__, passkey.user_id) from None
    spend_challenge(tx, challenge)
    return told


def _require_owner(passkey: Passkey, credential: Mapping[str, Any], *, must_be_named: bool) -> None:
    """Whose passkey it is, the authenticator says too: always where nobody was named before (section 7.2, step 6)."""
    handle = credential["response"].get("userHandle")
    if handle != encoded(passkey.user_id.bytes) and (must_be_named or handle is not None):
        raise refused("user_handle", passkey.user_id)


def _note_use(tx: Session, passkey: Passkey, told: VerifiedAuthentication) -> None:
    """Note that a passkey was used. One whose counter does not go on may have been copied (section 6.1.1); one that was
    bound to its device and says otherwise now is another (section 7.2, step 18).
    """
    row = tx.get(Passkey, passkey.id, with_for_update=True, populate_existing=True)
    if row is None:
        raise refused("unknown", passkey.user_id)
    if (told.new_sign_count or row.sign_count) and told.new_sign_count <= row.sign_count:
        raise refused("counter", row.user_id)
    if row.synced is not (told.credential_device_type is CredentialDeviceType.MULTI_DEVICE):
        raise refused("backup_eligibility", row.user_id)
    if row.backed_up is not told.credential_backed_up:
        log_security("passkey_backup_changed", user_id=row.user_id, passkey_id=row.id)
    row.sign_count, row.backed_up, row.last_used_at = told.new_sign_count, told.credential_backed_up, clock.now()


def _methods(passkey: Passkey) -> tuple[str, ...]:
    """RFC 8176: in hardware, or in software that may be on several devices."""
    return ("swk" if passkey.synced else "hwk",)
