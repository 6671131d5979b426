"""Where every way in ends: a proof becomes a login session, or a step that still stands before one.

Proof, start and delivery stay apart: a door proves, this file starts the row, `http/` delivers a cookie or tokens.
"""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import AccountDisabled, EmailUnverified, InvalidCredentials, PasswordBlocked, SignInStepExpired
from webapp.models import LoginSession, SignInInProgress, User
from webapp.models.login_session import USER_AGENT_LENGTH
from webapp.policy.login_sessions import MOST_A_USER, EndReason
from webapp.policy.security_events import EventKind
from webapp.policy.sign_in import STEP_LIFE, SUSPICIOUS_FROM, Step, Verdict, judge_sign_in
from webapp.services import account_mail, known_devices
from webapp.services.client import Client
from webapp.services.one_time import digest
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security, record_event
from webapp.services.transaction import transaction

PASSWORD = "pwd"  # RFC 8176
MAILED_LINK = "email"  # RFC 8176 has no name for it


@dataclass(frozen=True)
class Proof:
    """Who somebody is, how that was proven (RFC 8176 names), and when."""

    user_id: uuid.UUID
    methods: tuple[str, ...]
    at: datetime
    password_changed_at: datetime | None = None  # of the password that was proven
    failures: int = 0  # wrong passwords that went before the right one


@dataclass(frozen=True)
class Started:
    """A login session has begun; `device` is the known-device secret its browser is to keep."""

    login_session_id: uuid.UUID
    user_id: uuid.UUID
    expires_at: datetime
    persistent: bool
    device: str


@dataclass(frozen=True)
class Pending:
    """A step stands before the login session; `handle` is the secret that resumes it."""

    step: Step
    handle: str


@dataclass(frozen=True)
class WaitingStep:
    """What a login-in-progress waits for, and what its page has to say."""

    step: Step
    deletion_due_at: datetime | None


def start_sign_in(proof: Proof, client: Client, *, kind: str, persistent: bool = False) -> Started | Pending:
    """Turn a proof into a login session of `kind` "web" or "api", or into the step that stands before it.

    Raises AccountDisabled, EmailUnverified (a new link was mailed), PasswordBlocked (a reset link was mailed), or
    InvalidCredentials where what was proven no longer holds.
    """
    with transaction() as tx:
        user = _proven_user(tx, proof)
        if PASSWORD in proof.methods and user.password_changed_at != proof.password_changed_at:
            raise InvalidCredentials  # whoever changed it in between wants proofs by the old one to be void
        verdict = _judge(user, proof)
        if verdict is Verdict.START:
            return _start_login_session(tx, user, proof, client, kind=kind, persistent=persistent)
        if verdict is Verdict.KEEP_ACCOUNT:
            return _wait(tx, proof, Step.KEEP_ACCOUNT, kind=kind, persistent=persistent)
    _mail_way_on(user, verdict, client)
    log_security("sign_in_refused", user_id=proof.user_id, reason=verdict)
    raise {
        Verdict.DISABLED: AccountDisabled,
        Verdict.UNVERIFIED: EmailUnverified,
        Verdict.PASSWORD_BLOCKED: PasswordBlocked,
    }[verdict]


def find_step(handle: str | None) -> WaitingStep | None:
    """The login-in-progress behind a handle, while it may be resumed. It carries no rights."""
    with transaction() as tx:
        waiting = tx.scalar(_open_step(handle or ""))
        if waiting is None:
            return None
        due = tx.get_one(User, waiting.user_id).deletion_due_at
        return WaitingStep(Step(waiting.step), deletion_due_at=due)


def keep_account(handle: str | None, client: Client) -> Started:
    """Take back the deletion of the account that a login-in-progress waits before, and finish the sign-in.

    Raises SignInStepExpired, or what `start_sign_in` raises.
    """
    with transaction() as tx:
        found = tx.scalar(_open_step(handle or ""))
        if found is None or found.step != Step.KEEP_ACCOUNT:
            raise SignInStepExpired
        proof = Proof(found.user_id, tuple(found.methods.split()), found.proven_at)
        user = _proven_user(tx, proof)
        step = tx.scalar(_open_step(handle or "").with_for_update())
        if step is None:  # somebody was quicker while we waited for the user's row
            raise SignInStepExpired
        tx.delete(step)
        user.deletion_due_at = None
        if _judge(user, proof) is not Verdict.START:
            raise SignInStepExpired
        record_event(tx, user.id, EventKind.DELETION_CANCELLED, client)
        return _start_login_session(tx, user, proof, client, kind=step.kind, persistent=step.persistent)


def end_steps(tx: Session, user_id: uuid.UUID) -> None:
    """Drop a user's logins-in-progress: what they had proven no longer holds."""
    tx.execute(
        delete(SignInInProgress).where(SignInInProgress.user_id == user_id).execution_options(synchronize_session=False)
    )


def _proven_user(tx: Session, proof: Proof) -> User:
    user = tx.get(User, proof.user_id, with_for_update=True)
    if user is None:  # deleted between the proof and now
        raise InvalidCredentials
    return user


def _mail_way_on(user: User, verdict: Verdict, client: Client) -> None:
    """Mail the link that opens the way for a proof that was right and yet does not let in."""
    send = {
        Verdict.UNVERIFIED: account_mail.send_confirmation,
        Verdict.PASSWORD_BLOCKED: account_mail.send_reset,
    }.get(verdict)
    if send is not None and account_mail.may_mail(user.email_key, client):
        with transaction() as tx:
            found = tx.get(User, user.id, with_for_update=True)
            if found is not None:
                send(tx, found, client)


def _judge(user: User, proof: Proof) -> Verdict:
    return judge_sign_in(
        disabled=user.disabled_at is not None,
        email_verified=user.email_verified_at is not None,
        password_blocked=user.password_blocked_at is not None,
        by_password=PASSWORD in proof.methods,
        deletion_due_at=user.deletion_due_at,
    )


def _wait(tx: Session, proof: Proof, step: Step, *, kind: str, persistent: bool) -> Pending:
    handle = secrets.token_urlsafe(32)
    tx.add(
        SignInInProgress(
            handle_hash=digest(handle),
            user_id=proof.user_id,
            step=step,
            kind=kind,
            methods=" ".join(proof.methods),
            proven_at=proof.at,
            persistent=persistent,
            expires_at=clock.now() + STEP_LIFE,
        )
    )
    return Pending(step, handle)


def _start_login_session(
    tx: Session, user: User, proof: Proof, client: Client, *, kind: str, persistent: bool
) -> Started:
    settings, now = runtime().settings, clock.now()
    idle = settings.REMEMBER_IDLE if persistent else settings.SESSION_IDLE
    absolute = settings.REMEMBER_ABSOLUTE if persistent else settings.SESSION_ABSOLUTE
    device, is_news = known_devices.remember_device(tx, user.id, client.device)
    login_session = LoginSession(
        user_id=user.id,
        kind=kind,
        methods=" ".join(proof.methods),
        auth_time=proof.at,
        created_at=now,
        last_seen_at=now,
        idle_limit=int(idle / timedelta(seconds=1)),
        expires_at=now + absolute,
        persistent=persistent,
        ip=client.ip,
        user_agent=client.user_agent[:USER_AGENT_LENGTH],
        device_name=client.device_name,
    )
    tx.add(login_session)
    tx.flush()
    _make_room(tx, user.id)
    record_event(
        tx, user.id, EventKind.SIGNED_IN, client, login_session_id=login_session.id, methods=login_session.methods
    )
    if is_news:
        account_mail.tell_of_new_device(tx, user, client)
    elif proof.failures >= SUSPICIOUS_FROM:
        account_mail.tell_of_guesses_before(tx, user, client, failures=proof.failures)
    return Started(login_session.id, user.id, login_session.expires_at, persistent, device)


def _make_room(tx: Session, user_id: uuid.UUID) -> None:
    surplus = (
        select(LoginSession.id)
        .where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None))
        .order_by(LoginSession.last_seen_at.desc(), LoginSession.id.desc())
        .offset(MOST_A_USER)
        .limit(MOST_A_USER)  # SQLite knows no OFFSET without a LIMIT
    )
    tx.execute(
        update(LoginSession)
        .where(LoginSession.id.in_(surplus.scalar_subquery()))
        .values(ended_at=clock.now(), end_reason=EndReason.TOO_MANY)
        .execution_options(synchronize_session=False)
    )


def _open_step(handle: str) -> Select[SignInInProgress]:
    return select(SignInInProgress).where(
        SignInInProgress.handle_hash == digest(handle), SignInInProgress.expires_at > clock.now()
    )
