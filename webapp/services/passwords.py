"""The password door, and how a password is proven again, changed and set anew by mailed link."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import InvalidCredentials, PasswordRefused, TooManyAttempts
from webapp.models import LoginSession, User
from webapp.policy.login_sessions import EndReason
from webapp.policy.one_time import Purpose
from webapp.policy.passwords import normalise_password
from webapp.policy.security_events import EventKind
from webapp.policy.throttling import Limit, network_of
from webapp.services import account_mail, outbox
from webapp.services.addresses import address_key
from webapp.services.client import Client
from webapp.services.guessing import count_guess, forget_guesses, tell_of_guessing
from webapp.services.known_devices import forget_devices, knows_device, new_device, remember_device
from webapp.services.login_sessions import SignedIn, end_login_sessions, lock_live, require_fresh
from webapp.services.new_password import check_new_password
from webapp.services.one_time import counting_misses, digest, end_tokens, get_token, spend_token
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security, record_event
from webapp.services.sign_in import PASSWORD, Proof, end_steps
from webapp.services.transaction import transaction
from webapp.services.trusted_browsers import distrust_all


@dataclass(frozen=True)
class _Holder:
    """What the password door needs to know of an account."""

    id: uuid.UUID
    password_hash: str | None = field(repr=False)
    password_changed_at: datetime | None
    knows_device: bool  # whether somebody signed in from this device before


# Built once, with its values left open, and of columns: every sign-in begins with it.
_HOLDER = select(User.id, User.password_hash, User.password_changed_at, knows_device(User.id)).where(
    User.email_key == bindparam("email_key")
)


def verify_password(email: str, password: str, client: Client) -> Proof:
    """Prove who somebody is by address and password.

    An unknown address costs the same work and gets the same answer as a wrong password (ASVS 6.3.8).
    Raises InvalidCredentials or TooManyAttempts.
    """
    key = address_key(email)
    user = _find_holder(key, client)
    known = user is not None and user.knows_device
    count_guess(key, user.id if user else None, client, known_device=known)
    hashing = runtime().hashing
    if not hashing.verify(user.password_hash if user else None, password) or user is None:
        log_security("sign_in_failed", user_id=user.id if user else None)
        raise InvalidCredentials
    failures = forget_guesses(key, client, known_device=known)
    if user.password_hash and hashing.needs_rehash(user.password_hash):
        _store_rehash(user.id, old=user.password_hash, new=hashing.hash(password))
    return Proof(user.id, (PASSWORD,), clock.now(), password_changed_at=user.password_changed_at, failures=failures)


def change_password(signed_in: SignedIn, current_password: str, new_password: str, client: Client) -> None:
    """Change the password; every other login session ends (ASVS 7.4.3). It is one factor: where there is a second, the
    sign-in has to be fresh by both.

    Raises InvalidCredentials, PasswordRefused, TooManyAttempts, NotSignedIn or ReauthenticationRequired.
    """
    if signed_in.has_factor:
        require_fresh(signed_in)
    proven = prove_own_password(signed_in, current_password, client)
    if normalise_password(new_password) == normalise_password(current_password):
        raise PasswordRefused("unchanged")
    check_new_password(new_password, email=signed_in.email, name=signed_in.name)
    password_hash = runtime().hashing.hash(new_password)
    with transaction() as tx:
        user, login_session = lock_live(tx, signed_in)
        if user.password_hash != proven:  # changed in between: what was proven is not the current one any more
            raise InvalidCredentials
        _set_password(tx, user, password_hash)
        if user.second_factor_since is None:
            # The proof that went before was with the old password; this one is with the new.
            login_session.auth_time = clock.now()
        others = LoginSession.id != signed_in.login_session_id
        end_login_sessions(tx, user.id, EndReason.PASSWORD_CHANGED, others)
        record_event(tx, user.id, EventKind.PASSWORD_CHANGED, client, login_session_id=signed_in.login_session_id)
        account_mail.tell_of_new_password(tx, user, client)


def choose_first_password(signed_in: SignedIn, new_password: str, client: Client) -> None:
    """Choose a password for an account that has none; every other login session ends, as after a change.

    Raises ReauthenticationRequired, PasswordRefused, NotSignedIn, or InvalidCredentials where there is one by now.
    """
    require_fresh(signed_in)
    check_new_password(new_password, email=signed_in.email, name=signed_in.name)
    password_hash = runtime().hashing.hash(new_password)
    with transaction() as tx:
        user, _ = lock_live(tx, signed_in)
        if user.password_hash is not None:
            raise InvalidCredentials
        _set_password(tx, user, password_hash)
        others = LoginSession.id != signed_in.login_session_id
        end_login_sessions(tx, user.id, EndReason.PASSWORD_CHANGED, others)
        record_event(tx, user.id, EventKind.PASSWORD_CHANGED, client, login_session_id=signed_in.login_session_id)
        account_mail.tell_of_new_password(tx, user, client)


def forgot_password(email: str, client: Client) -> None:
    """Mail a link that sets a new password, where there is such an account; the same work where there is none.

    Raises TooManyAttempts.
    """
    key = address_key(email)
    runtime().throttle.hit(Limit.FORGOT_NETWORK, network_of(client.ip))
    holder = _find_holder(key, client)
    device = digest(client.device) if holder and holder.knows_device and client.device else None
    may_mail = account_mail.may_mail(key, client, device)
    with transaction() as tx:
        user = tx.scalar(select(User).where(User.email_key == key).with_for_update())
        if user is None or user.disabled_at is not None or not may_mail:
            outbox.enqueue_nothing(tx)
            return
        account_mail.send_reset(tx, user, client)
        record_event(tx, user.id, EventKind.PASSWORD_RESET_REQUESTED, client)


def find_resettable(raw: str, client: Client) -> User:
    """Whose password a link would set; spends nothing. Raises LinkInvalid and its kin, or TooManyAttempts."""
    with counting_misses(client), transaction() as tx:
        return tx.get_one(User, get_token(tx, raw, Purpose.RESET_PASSWORD).user_id)


def reset_password(raw: str, new_password: str, client: Client) -> str:
    """Spend a reset link. Ends every login session; signs nobody in (ASVS 6.4.3). A password that is refused leaves
    the link good.

    Who reads the mailbox is the owner: their browser is a known device from now on, so that the waits which strangers'
    guesses caused do not hold it up. Gives the secret that the browser is to keep for that.
    Raises LinkInvalid and its kin, PasswordRefused, TooManyAttempts.
    """
    runtime().throttle.hit(Limit.LINK_NETWORK, network_of(client.ip))
    user = find_resettable(raw, client)
    check_new_password(new_password, email=user.email, name=user.name)
    password_hash = runtime().hashing.hash(new_password)
    with transaction() as tx:
        spent = spend_token(tx, raw, Purpose.RESET_PASSWORD)
        user = tx.get_one(User, spent.user_id, with_for_update=True)
        _set_password(tx, user, password_hash)
        user.password_blocked_at = None
        user.email_verified_at = user.email_verified_at or clock.now()  # the link came by that mailbox
        # Whoever held the account before may have asked for another address; that wish ends with their password.
        end_tokens(tx, user.id, Purpose.CHANGE_EMAIL)
        end_login_sessions(tx, user.id, EndReason.PASSWORD_RESET)
        forget_devices(tx, user.id)  # one of them may be the thief's
        device = client.device or new_device()
        if user.second_factor_since is None:  # else it has shown no more than the mailbox, and is known once it has
            remember_device(tx, user.id, device)
        record_event(tx, user.id, EventKind.PASSWORD_RESET, client)
        account_mail.tell_of_new_password(tx, user, client)
    return device


def _find_holder(email_key: str, client: Client) -> _Holder | None:
    """Whose address it is, if anybody's."""
    with runtime().single.connect() as connection:
        values = {"email_key": email_key, "device_hash": digest(client.device) if client.device else ""}
        row = connection.execute(_HOLDER, values).one_or_none()
    return None if row is None else _Holder(*row)


def prove_own_password(signed_in: SignedIn, password: str, client: Client) -> str | None:
    """Prove the password of whoever is signed in; gives the hash that it fits. Raises InvalidCredentials or
    TooManyAttempts.
    """
    throttle, bucket = runtime().throttle, str(signed_in.login_session_id)
    try:
        throttle.hit(Limit.REAUTHENTICATE, bucket)
    except TooManyAttempts:
        tell_of_guessing(address_key(signed_in.email), signed_in.user_id, client)
        raise
    with transaction() as tx:
        # One that was blocked by "this was not me" opens nothing, and so proves nothing.
        held = (User.id == signed_in.user_id, User.password_blocked_at.is_(None))
        password_hash = tx.scalar(select(User.password_hash).where(*held))
    if not runtime().hashing.verify(password_hash, password):
        log_security("reauthentication_failed", user_id=signed_in.user_id)
        raise InvalidCredentials
    throttle.forgive(Limit.REAUTHENTICATE, bucket)
    return password_hash


def _set_password(tx: Session, user: User, password_hash: str) -> None:
    user.password_hash, user.password_changed_at = password_hash, clock.now()
    end_tokens(tx, user.id, Purpose.RESET_PASSWORD, Purpose.CONFIRM_EMAIL)
    end_steps(tx, user.id)
    distrust_all(tx, user.id)


def _store_rehash(user_id: uuid.UUID, *, old: str, new: str) -> None:
    with transaction() as tx:  # conditional: a password changed meanwhile must not be changed back
        tx.execute(update(User).where(User.id == user_id, User.password_hash == old).values(password_hash=new))
