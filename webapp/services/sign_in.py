"""Where every way in ends: a proof becomes a login session, or a step that still stands before one.

Proof, start and delivery stay apart: a door proves, this file starts the row, `http/` delivers a cookie or tokens.
"""

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Table, delete, exists, insert, select
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import (
    AccountDisabled,
    DomainError,
    EmailUnverified,
    FactorSetupRequired,
    InvalidCredentials,
    PasskeyRefused,
    PasswordBlocked,
    SignInStepExpired,
)
from webapp.ids import new_id
from webapp.metrics import SIGN_INS
from webapp.models import Identity, LoginSession, Passkey, SignInInProgress, User
from webapp.models.login_session import USER_AGENT_LENGTH
from webapp.policy.one_time import Purpose
from webapp.policy.rotation import FIRST_GENERATION
from webapp.policy.security_events import EventKind
from webapp.policy.sign_in import STEP_LIFE, STEPS, SUSPICIOUS_FROM, Step, Verdict, judge_sign_in
from webapp.services import account_mail, known_devices
from webapp.services.client import Client
from webapp.services.login_sessions import MULTI_FACTOR as MULTI_FACTOR
from webapp.services.login_sessions import make_room
from webapp.services.newest import drop_beyond_newest
from webapp.services.one_time import digest, end_tokens
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security, record_event
from webapp.services.transaction import transaction
from webapp.services.trusted_browsers import is_trusted

PASSWORD = "pwd"  # RFC 8176
MOST_STEPS = 20  # logins-in-progress of one user
MAILED_LINK = "email"  # RFC 8176 has no name for it

_BEGIN = insert(cast(Table, LoginSession.__table__))  # as a statement: every way in ends with it

_REFUSALS: Mapping[Verdict, type[DomainError]] = {
    Verdict.DISABLED: AccountDisabled,
    Verdict.UNVERIFIED: EmailUnverified,
    Verdict.PASSWORD_BLOCKED: PasswordBlocked,
    Verdict.SET_UP_FACTOR: FactorSetupRequired,
}


@dataclass(frozen=True)
class Proof:
    """Who somebody is, how that was proven (RFC 8176 names), and when."""

    user_id: uuid.UUID
    methods: tuple[str, ...]
    at: datetime
    password_changed_at: datetime | None = None  # of the password that was proven
    failures: int = 0  # wrong passwords that went before the right one
    email_key: str | None = None  # of the mailbox that was proven
    passkey_id: uuid.UUID | None = None  # of the passkey that was shown
    identity_id: uuid.UUID | None = None  # what a provider proved, and what has to open the account still


@dataclass(frozen=True)
class Started:
    """A login session has begun; `device` is the known-device secret its browser is to keep."""

    login_session_id: uuid.UUID
    user_id: uuid.UUID
    expires_at: datetime
    persistent: bool
    device: str
    auth_time: datetime
    methods: tuple[str, ...]
    generation: int | None = None  # of the first refresh token; None on the web
    refresh_transport: str | None = None  # "body" or "cookie"; None on the web
    in_full: bool = True  # unless the browser is trusted, or a factor that is demanded has still to be set up


@dataclass(frozen=True)
class Pending:
    """A step stands before the login session; `handle` is the secret that resumes it."""

    step: Step
    handle: str = field(repr=False)
    user_id: uuid.UUID
    deletion_due_at: datetime | None = None


@dataclass(frozen=True)
class Wanted:
    """The login session that is asked for: `kind` "web" or "api", and how it is to be kept."""

    kind: str
    persistent: bool  # "keep me signed in"
    refresh_transport: str | None  # "body" or "cookie", for the API


def start_sign_in(
    proof: Proof, client: Client, *, kind: str, persistent: bool = False, refresh_transport: str | None = None
) -> Started | Pending:
    """Turn a proof into a login session of `kind` "web" or "api", or into the step that stands before it.

    Raises AccountDisabled, EmailUnverified (a new link was mailed), PasswordBlocked (a reset link was mailed),
    FactorSetupRequired; and InvalidCredentials, PasskeyRefused or, for an identity, SignInStepExpired, where what was
    proven no longer holds.
    """
    wanted = Wanted(kind, persistent=persistent, refresh_transport=refresh_transport)
    with transaction() as tx:
        user = proven_user(tx, proof)
        if PASSWORD in proof.methods and user.password_changed_at != proof.password_changed_at:
            raise InvalidCredentials  # whoever changed it in between wants proofs by the old one to be void
        if proof.email_key is not None and user.email_key != proof.email_key:
            raise InvalidCredentials  # the mailbox is another account's by now, or nobody's
        if proof.passkey_id is not None and tx.get(Passkey, proof.passkey_id) is None:
            raise PasskeyRefused  # likewise: it was taken away in between
        if proof.identity_id is not None and not _still_opens(tx, proof):
            raise SignInStepExpired
        verdict, outcome = go_on(tx, user, proof, client, wanted)
        if outcome is not None:
            _count(proof, verdict)
            return outcome
    _count(proof, verdict)
    _mail_way_on(user, verdict, client)
    log_security("sign_in_refused", user_id=proof.user_id, reason=verdict)
    raise _REFUSALS[verdict]


def _count(proof: Proof, verdict: Verdict) -> None:
    """By the door: a method of RFC 8176 or, where a provider proved it, that."""
    door = "provider" if proof.identity_id is not None else proof.methods[0]
    SIGN_INS.labels(door, verdict.value).inc()


def go_on(
    tx: Session, user: User, proof: Proof, client: Client, wanted: Wanted
) -> tuple[Verdict, Started | Pending | None]:
    """In `tx`, with the user's row locked: the login session, or the step that comes next; None where it is refused."""
    verdict = _judge(tx, user, proof, client, wanted)
    if verdict is Verdict.START:
        return verdict, _start_login_session(tx, user, proof, client, wanted)
    if verdict in STEPS:
        return verdict, _wait(tx, user, proof, STEPS[verdict], client, wanted)
    return verdict, None


def end_steps(tx: Session, user_id: uuid.UUID) -> None:
    """Drop a user's logins-in-progress, in whatever form: what they had proven no longer holds."""
    end_tokens(tx, user_id, Purpose.APP_CODE, Purpose.LINK_IDENTITY, Purpose.SIGN_IN, Purpose.SIGN_IN_CODE)
    tx.execute(
        delete(SignInInProgress).where(SignInInProgress.user_id == user_id).execution_options(synchronize_session=False)
    )


def proven_user(tx: Session, proof: Proof) -> User:
    """Whom a proof is of, their row locked. Raises InvalidCredentials."""
    user = tx.get(User, proof.user_id, with_for_update=True)
    if user is None:  # deleted between the proof and now
        raise InvalidCredentials
    return user


def _still_opens(tx: Session, proof: Proof) -> bool:
    """Whether the identity was neither disconnected nor blocked since it was proven."""
    mine = (Identity.id == proof.identity_id, Identity.user_id == proof.user_id, Identity.blocked_at.is_(None))
    return bool(tx.scalar(select(exists().where(*mine))))


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


def _judge(tx: Session, user: User, proof: Proof, client: Client, wanted: Wanted) -> Verdict:
    has_factor = user.second_factor_since is not None
    return judge_sign_in(
        disabled=user.disabled_at is not None,
        email_verified=user.email_verified_at is not None,
        password_blocked=user.password_blocked_at is not None,
        by_password=PASSWORD in proof.methods,
        has_factor=has_factor,
        factor_proven=MULTI_FACTOR in proof.methods or (has_factor and is_trusted(tx, user.id, client.trust)),
        factor_required=runtime().settings.MFA_REQUIRED,
        can_set_up=wanted.kind == "web",  # where the pages that set one up are all that opens (http.access)
        deletion_due_at=user.deletion_due_at,
    )


def _wait(tx: Session, user: User, proof: Proof, step: Step, client: Client, wanted: Wanted) -> Pending:
    handle = secrets.token_urlsafe(32)
    tx.add(
        SignInInProgress(
            handle_hash=digest(handle),
            user_id=proof.user_id,
            step=step,
            kind=wanted.kind,
            methods=" ".join(proof.methods),
            proven_at=proof.at,
            failures=proof.failures,
            persistent=wanted.persistent,
            device_name=client.device_name,
            refresh_transport=wanted.refresh_transport,
            expires_at=clock.now() + STEP_LIFE,
        )
    )
    tx.flush()
    _drop_surplus_steps(tx, user.id)
    return Pending(step, handle, user.id, deletion_due_at=user.deletion_due_at)


def _drop_surplus_steps(tx: Session, user_id: uuid.UUID) -> None:
    """The newest few stay: whoever has the first factor must not be able to fill the table."""
    mine = SignInInProgress.user_id == user_id
    drop_beyond_newest(tx, SignInInProgress.id, mine, order=(SignInInProgress.id.desc(),), keep=MOST_STEPS)


def _limits(wanted: Wanted) -> tuple[timedelta, timedelta]:
    """How long a login session may go unused, and how long it lasts in any case."""
    settings = runtime().settings
    if wanted.kind == "api":
        # An app that lies unused for three weeks is still this person's; what a thief could use ends at each rotation.
        return settings.JWT_REFRESH, settings.JWT_REFRESH
    if wanted.persistent:
        return settings.REMEMBER_IDLE, settings.REMEMBER_ABSOLUTE
    return settings.SESSION_IDLE, settings.SESSION_ABSOLUTE


def _start_login_session(tx: Session, user: User, proof: Proof, client: Client, wanted: Wanted) -> Started:
    now = clock.now()
    idle, absolute = _limits(wanted)
    device, is_news = known_devices.remember_device(tx, user.id, client.device)
    make_room(tx, user.id)
    login_session_id, methods = new_id(), " ".join(proof.methods)
    generation = FIRST_GENERATION if wanted.kind == "api" else None
    values = {
        "id": login_session_id,
        "user_id": user.id,
        "kind": wanted.kind,
        "methods": methods,
        "auth_time": proof.at,
        "created_at": now,
        "last_seen_at": now,
        "idle_limit": int(idle / timedelta(seconds=1)),
        "expires_at": now + absolute,
        "persistent": wanted.persistent,
        "ip": client.ip,
        "user_agent": client.user_agent[:USER_AGENT_LENGTH],
        "device_name": client.device_name,
        "generation": generation,
    }
    tx.connection().execute(_BEGIN, values)
    record_event(tx, user.id, EventKind.SIGNED_IN, client, login_session_id=login_session_id, methods=methods)
    if is_news:
        account_mail.tell_of_new_device(tx, user, client)
    elif proof.failures >= SUSPICIOUS_FROM:
        account_mail.tell_of_guesses_before(tx, user, client, failures=proof.failures)
    return Started(
        login_session_id,
        user.id,
        now + absolute,
        wanted.persistent,
        device,
        auth_time=proof.at,
        methods=proof.methods,
        generation=generation,
        refresh_transport=wanted.refresh_transport,
        in_full=MULTI_FACTOR in proof.methods
        or (user.second_factor_since is None and not runtime().settings.MFA_REQUIRED),
    )
