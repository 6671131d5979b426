"""What an app gets when it has signed in or refreshed, and what a token that comes back stands for."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from webapp import clock
from webapp.errors import AccountDeletionPending, DomainError, FactorSetupRequired, MfaRequired, SessionRevoked
from webapp.models import LoginSession
from webapp.policy.names import clean_name
from webapp.policy.sign_in import Step
from webapp.services import (
    app_codes,
    app_id_tokens,
    linking,
    passkey_proofs,
    passwords,
    second_factor,
    sign_in,
    sign_in_steps,
)
from webapp.services.access_tokens import Claims, Subject
from webapp.services.authorization import relying_party
from webapp.services.client import Client
from webapp.services.key_ring import Key
from webapp.services.login_sessions import Over, SignedIn, find_end_reason, resume_login_session
from webapp.services.refresh_tokens import RefreshToken
from webapp.services.runtime import runtime
from webapp.services.second_factor import Answer
from webapp.services.signing_keys import current_key
from webapp.services.transaction import transaction

API = "api"  # the kind of a login session that has tokens


@dataclass(frozen=True)
class Tokens:
    """An access token and a refresh token, with how long each is good."""

    access_token: str = field(repr=False)
    expires_in: timedelta
    refresh_token: str = field(repr=False)
    refresh_expires_in: timedelta
    session_id: uuid.UUID


@dataclass(frozen=True)
class AccessToken:
    """An access token alone, with how long it is good."""

    access_token: str = field(repr=False)
    expires_in: timedelta


@dataclass(frozen=True)
class SignedInByApi:
    """A sign-in that an app began: its tokens, how the refresh token is to travel, and the known-device secret."""

    tokens: Tokens
    refresh_transport: str
    device: str = field(repr=False)


def sign_in_with_password(
    email: str, password: str, client: Client, *, device_name: str | None, refresh_transport: str
) -> SignedInByApi:
    """The password door of the API; `device_name` is what the app calls itself. Raises what `verify_password` and
    `start_sign_in` raise, and AccountDeletionPending where the account waits to be deleted.
    """
    proof = passwords.verify_password(email, password, client)
    return _sign_in(proof, client, device_name, refresh_transport)


def sign_in_with_app_code(
    shown: app_codes.ShownCode, client: Client, *, device_name: str | None, refresh_transport: str
) -> SignedInByApi:
    """The door of an app whose person was at a provider in the browser. Raises AppCodeInvalid, TooManyAttempts and what
    `start_sign_in` raises, and AccountDeletionPending.
    """
    proof = app_codes.spend_app_code(shown, client)
    signed_in = _sign_in(proof, client, device_name, refresh_transport)
    app_codes.note_what_it_opened(shown.code, signed_in.tokens.session_id)
    return signed_in


def sign_in_with_id_token(
    provider: str,
    id_token: str,
    nonce: str,
    client: Client,
    *,
    locale: str,
    device_name: str | None,
    refresh_transport: str,
) -> SignedInByApi:
    """The door of an app that has the provider's own SDK. Raises what `prove_by_id_token`, `admit` and `start_sign_in`
    raise, and AccountDeletionPending.
    """
    proven = app_id_tokens.prove_by_id_token(provider, id_token, nonce, client)
    admitted = linking.admit(proven, relying_party(provider).config, client, locale=locale)
    return _sign_in(admitted.proof, client, device_name, refresh_transport)


def keep_account(step_token: str, client: Client) -> SignedInByApi:
    """Finish a sign-in that AccountDeletionPending stopped, and keep the account. Raises SignInStepExpired."""
    key = current_key()
    return _outcome(sign_in_steps.keep_account(step_token, client, kind=API), key)


def pass_second_factor(mfa_token: str, answer: Answer, client: Client) -> SignedInByApi:
    """Go on with a sign-in that MfaRequired stopped. Raises what `sign_in_steps.pass_second_factor` raises, and
    AccountDeletionPending.
    """
    key = current_key()
    passed = sign_in_steps.pass_second_factor(mfa_token, answer, client, kind=API)
    return _outcome(passed.outcome, key)


def sign_in_with_passkey(
    credential: Mapping[str, Any], client: Client, *, device_name: str | None, refresh_transport: str
) -> SignedInByApi:
    """The door of an app whose person has a passkey. Raises PasskeyRefused, TooManyAttempts, what `start_sign_in`
    raises, and AccountDeletionPending.
    """
    proof = passkey_proofs.prove_sign_in(credential, client)
    return _sign_in(proof, client, device_name, refresh_transport)


def issue_tokens(key: Key, subject: Subject, *, generation: int, expires_at: datetime) -> Tokens:
    """A pair for a login session that ends at `expires_at`, signed by a key that was found before the session began or
    stepped: what cannot be signed must not be begun.
    """
    now = clock.now()
    refresh = RefreshToken(subject.login_session_id, generation)
    return Tokens(
        access_token=runtime().access_tokens.issue(key, subject, ends_at=expires_at),
        expires_in=min(runtime().settings.JWT_ACCESS, expires_at - now),
        refresh_token=runtime().refresh_tokens.issue(refresh, expires_at=expires_at),
        refresh_expires_in=expires_at - now,
        session_id=subject.login_session_id,
    )


def access_token_after(signed_in: SignedIn) -> AccessToken:
    """A new access token for a login session that was proven again; the refresh token stays. Raises SessionRevoked."""
    key, session_id = current_key(), signed_in.login_session_id
    with transaction() as tx:
        row = tx.get(LoginSession, session_id)
    if row is None or not row.is_live(clock.now()):
        raise _revoked(None)
    subject = Subject(row.user_id, row.id, row.auth_time, tuple(row.methods.split()))
    token = runtime().access_tokens.issue(key, subject, ends_at=row.expires_at)
    return AccessToken(token, min(runtime().settings.JWT_ACCESS, row.expires_at - clock.now()))


def verify_access_token(raw: str) -> Claims:
    """The claims of an access token whose login session goes on, as far as news of a second ago tells; no query, but
    where a second factor is demanded and the token shows none.

    Raises TokenInvalid, TokenExpired, SessionRevoked, FactorSetupRequired or StoreUnavailable.
    """
    claims = runtime().access_tokens.verify(raw)
    if runtime().revoked.includes(claims["sid"]):
        raise _revoked(find_end_reason(uuid.UUID(claims["sid"])))
    if second_factor.is_owed(claims["amr"]):
        with transaction() as tx:
            second_factor.require_factor(tx, uuid.UUID(claims["sub"]))
    return claims


def resume(claims: Claims, ip: str) -> SignedIn:
    """Who is behind a verified access token shown from that address, by the login session's row itself. Raises
    SessionRevoked.

    The proof is as old as the token says, where the session has a newer one, and no more was proven: somebody who
    copied the token is not made fresh by what its owner proved afterwards (ASVS 7.5.1).
    """
    visit = resume_login_session(uuid.UUID(claims["sid"]), ip)
    if isinstance(visit, Over):
        raise _revoked(visit.reason)
    if runtime().settings.MFA_REQUIRED and not visit.has_factor:
        raise FactorSetupRequired
    told = datetime.fromtimestamp(claims["auth_time"], UTC)
    methods = tuple(method for method in visit.methods if method in claims["amr"])
    return replace(visit, auth_time=min(visit.auth_time, told), methods=methods)


def _sign_in(proof: sign_in.Proof, client: Client, device_name: str | None, refresh_transport: str) -> SignedInByApi:
    client = replace(client, device_name=clean_name(device_name or "") or None)
    key = current_key()
    return _outcome(sign_in.start_sign_in(proof, client, kind=API, refresh_transport=refresh_transport), key)


def _outcome(outcome: sign_in.Started | sign_in.Pending, key: Key) -> SignedInByApi:
    if isinstance(outcome, sign_in.Pending):
        raise _step_required(outcome)
    return _delivered(outcome, key)


def _delivered(started: sign_in.Started, key: Key) -> SignedInByApi:
    assert started.generation is not None
    subject = Subject(started.user_id, started.login_session_id, started.auth_time, started.methods)
    tokens = issue_tokens(key, subject, generation=started.generation, expires_at=started.expires_at)
    return SignedInByApi(tokens, started.refresh_transport or "body", started.device)


def _revoked(reason: str | None) -> SessionRevoked:
    return SessionRevoked(**({"reason": str(reason)} if reason else {}))


def _step_required(pending: sign_in.Pending) -> DomainError:
    if pending.step is Step.SECOND_FACTOR:
        with transaction() as tx:
            return MfaRequired(mfa_token=pending.handle, methods=list(second_factor.methods_of(tx, pending.user_id)))
    assert pending.deletion_due_at is not None
    return AccountDeletionPending(step_token=pending.handle, deletion_due_at=pending.deletion_due_at.isoformat())
