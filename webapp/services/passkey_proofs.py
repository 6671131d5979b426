"""What passkeys sign (Web Authentication Level 3), verified by py_webauthn; challenges of ours, each good once.

A challenge is authenticated, not stored: asking for one costs no row. It says for what it is, so that what was signed
for one thing proves no other.
"""

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from webauthn import generate_authentication_options, options_to_json, verify_authentication_response
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

from webapp import clock
from webapp.errors import FactorRefused, PasskeyRefused
from webapp.models import Passkey, User
from webapp.policy.throttling import Limit, network_of
from webapp.services.client import Client
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security
from webapp.services.sign_in import MULTI_FACTOR, Proof
from webapp.services.spent_values import spend
from webapp.services.transaction import transaction

CHALLENGE_LIFE = timedelta(minutes=5)
_RANDOM_BYTES = 16
SIGN_IN = "sign in"  # what a challenge is for
# What a library raises over what is no credential.
MALFORMED = (WebAuthnException, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
_log = structlog.get_logger("passkeys")


@dataclass(frozen=True)
class Verified:
    """A signature of one of our passkeys."""

    passkey: Passkey
    told: VerifiedAuthentication
    challenge: str

    @property
    def methods(self) -> tuple[str, ...]:
        """RFC 8176: in hardware, or in software that may be on several devices."""
        return ("swk" if self.passkey.synced else "hwk",)


def sign_in_options() -> dict[str, Any]:
    """What a browser needs to sign somebody in by a passkey, whoever they are."""
    return _options(SIGN_IN, [], UserVerificationRequirement.REQUIRED)


def factor_options(user_id: uuid.UUID) -> dict[str, Any]:
    """What a browser needs to show one of a user's passkeys after the first factor."""
    with transaction() as tx:
        rows = list(tx.scalars(select(Passkey).where(Passkey.user_id == user_id)))
    return _options(_for_user(user_id), rows, UserVerificationRequirement.PREFERRED)


def prove_sign_in(credential: Mapping[str, Any], client: Client) -> Proof:
    """Who somebody is by a passkey, unlocked by its owner: two factors in one (NIST SP 800-63B-4, section 3.1.7).

    Raises PasskeyRefused or TooManyAttempts.
    """
    runtime().throttle.hit(Limit.PASSKEY_NETWORK, network_of(client.ip))
    with transaction() as tx:
        found = _find(tx, credential)
        tx.get(User, found.user_id, with_for_update=True)
        verified = _verified(tx, found, credential, SIGN_IN, must_be_unlocked=True)
        handle = credential.get("response", {}).get("userHandle")
        if handle is not None and handle != encoded(found.user_id.bytes):
            raise PasskeyRefused
        _use(tx, verified)
        return Proof(found.user_id, (*verified.methods, MULTI_FACTOR), clock.now())


def prove_second_factor(tx: Session, user: User, credential: Mapping[str, Any]) -> tuple[str, ...]:
    """The methods that one of the user's passkeys proves after the first factor. Raises FactorRefused."""
    try:
        found = _find(tx, credential)
        if found.user_id != user.id:
            raise PasskeyRefused
        verified = _verified(tx, found, credential, _for_user(user.id), must_be_unlocked=False)
        _use(tx, verified)
    except PasskeyRefused:
        raise FactorRefused from None
    return verified.methods


def new_challenge(purpose: str) -> bytes:
    """A challenge for one purpose, good for five minutes."""
    until = int((clock.now() + CHALLENGE_LIFE).timestamp())
    text = secrets.token_bytes(_RANDOM_BYTES) + until.to_bytes(8, "big")
    return text + _mac(next(iter(runtime().sealer.mac_keys("passkey challenge").values())), purpose, text)


def challenge_of(credential: Mapping[str, Any], purpose: str) -> bytes:
    """The challenge that a credential answers, where it is ours, for this purpose and not too old.

    Raises PasskeyRefused.
    """
    try:
        client_data = json.loads(_decoded(credential["response"]["clientDataJSON"]))
        challenge = _decoded(client_data["challenge"])
    except (*MALFORMED, UnicodeDecodeError):
        raise PasskeyRefused from None
    text, mac = challenge[:-32], challenge[-32:]
    keys = runtime().sealer.mac_keys("passkey challenge").values()
    is_ours = len(text) == _RANDOM_BYTES + 8 and any(hmac.compare_digest(_mac(key, purpose, text), mac) for key in keys)
    if not is_ours or clock.now().timestamp() >= int.from_bytes(text[_RANDOM_BYTES:], "big"):
        raise PasskeyRefused
    return challenge


def spend_challenge(tx: Session, challenge: str) -> None:
    """Use a challenge up. Raises PasskeyRefused where it was."""
    try:
        spend(tx, "passkey challenge", challenge, CHALLENGE_LIFE)
    except IntegrityError:
        raise PasskeyRefused from None


def encoded(value: bytes) -> str:
    """base64url without padding, as browsers write it."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _options(purpose: str, passkeys: list[Passkey], verification: UserVerificationRequirement) -> dict[str, Any]:
    options = generate_authentication_options(
        rp_id=runtime().settings.passkey_host,
        challenge=new_challenge(purpose),
        allow_credentials=[PublicKeyCredentialDescriptor(id=row.credential_id) for row in passkeys] or None,
        user_verification=verification,
        timeout=int(CHALLENGE_LIFE / timedelta(milliseconds=1)),
    )
    told: dict[str, Any] = json.loads(options_to_json(options))
    return told


def _find(tx: Session, credential: Mapping[str, Any]) -> Passkey:
    try:
        credential_id = _decoded(credential["rawId"])
    except MALFORMED:
        raise PasskeyRefused from None
    found = tx.scalar(select(Passkey).where(Passkey.credential_id == credential_id))
    if found is None:
        log_security("passkey_refused", reason="unknown")
        raise PasskeyRefused
    return found


def _verified(
    tx: Session, passkey: Passkey, credential: Mapping[str, Any], purpose: str, *, must_be_unlocked: bool
) -> Verified:
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
        log_security("passkey_refused", reason=type(error).__name__, user_id=passkey.user_id)
        raise PasskeyRefused from None
    spend_challenge(tx, encoded(challenge))
    return Verified(passkey, told, encoded(challenge))


def _use(tx: Session, verified: Verified) -> None:
    """Note that a passkey was used. One whose counter does not go on may have been copied (WebAuthn, section 6.1.1)."""
    row = tx.get(Passkey, verified.passkey.id, with_for_update=True, populate_existing=True)
    new = verified.told.new_sign_count
    if row is None or ((new or row.sign_count) and new <= row.sign_count):
        log_security("passkey_refused", reason="counter", user_id=verified.passkey.user_id)
        raise PasskeyRefused
    if row.backed_up != verified.told.credential_backed_up:
        _log.info("passkey_backup_changed", passkey_id=str(row.id))
    row.sign_count, row.backed_up, row.last_used_at = new, verified.told.credential_backed_up, clock.now()


def _for_user(user_id: uuid.UUID) -> str:
    return f"second factor of {user_id}"


def _mac(key: bytes, purpose: str, text: bytes) -> bytes:
    return hmac.digest(key, len(purpose).to_bytes(2, "big") + purpose.encode() + text, hashlib.sha256)


def _decoded(value: str) -> bytes:
    if len(value) > 8192 or "=" in value:
        raise ValueError("not base64url of a bearable length")
    return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
