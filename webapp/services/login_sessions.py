"""Login sessions after they have begun: resume, list, end. One list, one way to end any of it, whatever the door."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import cast

from sqlalchemy import ColumnElement, Integer, Table, bindparam, select, update
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import NotFound, NotSignedIn, ReauthenticationRequired
from webapp.models import LoginSession, User
from webapp.policy.login_sessions import MOST_A_USER, EndReason, Visit, is_fresh, judge_visit, name_end
from webapp.policy.security_events import EventKind
from webapp.services.client import Client
from webapp.services.newest import beyond_newest
from webapp.services.runtime import runtime
from webapp.services.security_events import record_event
from webapp.services.transaction import after_commit, transaction

MULTI_FACTOR = "mfa"  # RFC 8176: more than one factor was proven

# Built once, with its id left open: putting a statement together costs more than running it.
_RESUME = (
    select(
        LoginSession.id,
        LoginSession.auth_time,
        LoginSession.methods,
        LoginSession.last_seen_at,
        LoginSession.idle_limit,
        LoginSession.expires_at,
        LoginSession.end_reason,
        User.id.label("user_id"),
        User.email,
        User.name,
        User.locale,
        User.created_at,
        User.password_changed_at,
        User.disabled_at,
        User.email_verified_at,
        User.warning,
        User.second_factor_since,
    )
    .join(User, User.id == LoginSession.user_id)
    .where(LoginSession.id == bindparam("login_session_id"))
)
_row = cast(Table, LoginSession.__table__).c
_END_SURPLUS = (  # built once, with its values left open: it runs at every sign-in
    update(cast(Table, LoginSession.__table__))
    .where(
        _row.id.in_(
            beyond_newest(
                _row.id,
                _row.user_id == bindparam("of"),
                _row.ended_at.is_(None),
                order=(_row.last_seen_at.desc(), _row.id.desc()),
                keep=bindparam("keep", type_=Integer),
            )
        )
    )
    .values(ended_at=bindparam("now"), end_reason=bindparam("reason"))
    .returning(_row.id)
)
_END_REASON = select(LoginSession.end_reason).where(LoginSession.id == bindparam("login_session_id"))


@dataclass(frozen=True)
class SignedIn:
    """Who is behind a live login session: what a page needs, read with one joined query."""

    login_session_id: uuid.UUID
    user_id: uuid.UUID
    email: str
    name: str
    locale: str
    auth_time: datetime
    methods: tuple[str, ...]  # how it was proven
    has_factor: bool  # whether the account has a second factor
    created_at: datetime  # of the account
    password_changed_at: datetime | None
    email_verified: bool
    warning: str | None  # policy.security_events.EventKind of what the next page has to say


@dataclass(frozen=True)
class Over:
    """A login session that signs nobody in any more, and why; the reason is None where there never was one."""

    reason: EndReason | None


def resume_login_session(login_session_id: uuid.UUID, ip: str) -> SignedIn | Over:
    """Who is behind a login session now. Records the visit from that address, no more often than its idle limit needs.

    Columns, not objects: this runs on every page view.
    """
    now = clock.now()
    with runtime().single.connect() as connection:
        row = connection.execute(_RESUME, {"login_session_id": login_session_id}).first()
    if row is None:
        return Over(None)
    idle_limit = timedelta(seconds=row.idle_limit)
    times = {"last_seen_at": row.last_seen_at, "idle_limit": idle_limit, "expires_at": row.expires_at}
    disabled = row.disabled_at is not None
    visit = judge_visit(ended=row.end_reason is not None, disabled=disabled, now=now, **times)
    if visit is Visit.OVER:
        return Over(name_end(end_reason=row.end_reason, disabled=disabled, **times))
    if visit is Visit.TOUCH:
        _record_visit(login_session_id, ip, seen_at=row.last_seen_at, now=now)
    return SignedIn(
        login_session_id=row.id,
        user_id=row.user_id,
        email=row.email,
        name=row.name,
        locale=row.locale,
        auth_time=row.auth_time,
        methods=tuple(row.methods.split()),
        has_factor=row.second_factor_since is not None,
        created_at=row.created_at,
        password_changed_at=row.password_changed_at,
        email_verified=row.email_verified_at is not None,
        warning=row.warning,
    )


def _record_visit(login_session_id: uuid.UUID, ip: str, *, seen_at: datetime, now: datetime) -> None:
    with transaction() as tx:
        tx.execute(
            update(LoginSession)
            .where(
                LoginSession.id == login_session_id,
                LoginSession.ended_at.is_(None),
                LoginSession.last_seen_at == seen_at,  # one writer, however many requests come at once
            )
            .values(last_seen_at=now, ip=ip)
        )


def list_login_sessions(user_id: uuid.UUID) -> list[LoginSession]:
    """Where a user is signed in now, by web and by API, the one seen last first."""
    now = clock.now()
    live = (
        select(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None), LoginSession.expires_at > now)
        .order_by(LoginSession.last_seen_at.desc())
    )
    with transaction() as tx:
        return [login_session for login_session in tx.scalars(live) if login_session.is_live(now)]


def require_fresh(signed_in: SignedIn) -> None:
    """Raise ReauthenticationRequired where the last full proof is too old for a change to credentials, or was none: a
    browser that is trusted shows one factor of two.
    """
    is_full = not signed_in.has_factor or MULTI_FACTOR in signed_in.methods
    if not is_full or not is_fresh(signed_in.auth_time, clock.now()):
        raise ReauthenticationRequired


def lock_live(tx: Session, signed_in: SignedIn) -> tuple[User, LoginSession]:
    """The user and the login session behind a request, locked until `tx` ends. A change to credentials begins with it:
    a session that was ended while the request was under way changes nothing. Raises NotSignedIn.
    """
    user = tx.get(User, signed_in.user_id, with_for_update=True)
    login_session = tx.get(LoginSession, signed_in.login_session_id, with_for_update=True)
    if user is None or login_session is None or not login_session.is_live(clock.now()):
        raise NotSignedIn
    return user, login_session


def lock_users(tx: Session, *user_ids: uuid.UUID) -> None:
    """Lock users' rows until `tx` ends. Whoever locks rows that belong to a user locks the user's before, and those of
    several in order: of any who wait for each other, one can always go on.
    """
    # In a way that new rows may refer to them meanwhile: nobody changes what they are referred to by.
    locked = select(User.id).where(User.id.in_(user_ids)).order_by(User.id).with_for_update(key_share=True)
    tx.execute(locked)


def find_end_reason(login_session_id: uuid.UUID) -> str | None:
    """Why a login session was ended, where that is still known."""
    with runtime().single.connect() as connection:
        return connection.execute(_END_REASON, {"login_session_id": login_session_id}).scalar()


def take_warning(signed_in: SignedIn) -> str | None:
    """What the next page has to say, once: of many pages opened at once, one gets it."""
    with transaction() as tx:
        taken = tx.scalar(
            update(User)
            .where(User.id == signed_in.user_id, User.warning == signed_in.warning)
            .values(warning=None)
            .execution_options(synchronize_session=False)
            .returning(User.id)
        )
    return None if taken is None else signed_in.warning


def sign_out(signed_in: SignedIn, client: Client) -> None:
    """End the login session that asks for it."""
    with transaction() as tx:
        mine = LoginSession.id == signed_in.login_session_id
        if end_login_sessions(tx, signed_in.user_id, EndReason.SIGNED_OUT, mine):
            record_event(
                tx, signed_in.user_id, EventKind.SIGNED_OUT, client, login_session_id=signed_in.login_session_id
            )


def replace_login_session(signed_in: SignedIn) -> None:
    """End the login session of a browser that signs in anew."""
    with transaction() as tx:
        mine = LoginSession.id == signed_in.login_session_id
        end_login_sessions(tx, signed_in.user_id, EndReason.REPLACED, mine)


def end_login_session(signed_in: SignedIn, login_session_id: uuid.UUID, client: Client) -> None:
    """End one of the user's own login sessions. Raises NotFound for anybody else's."""
    with transaction() as tx:
        if not end_login_sessions(tx, signed_in.user_id, EndReason.ENDED_BY_USER, LoginSession.id == login_session_id):
            raise NotFound
        record_event(tx, signed_in.user_id, EventKind.SESSION_ENDED, client, login_session_id=login_session_id)


def end_own_login_session(signed_in: SignedIn, login_session_id: uuid.UUID, client: Client) -> None:
    """As `end_login_session`; ending the one that asks is signing out. Ending another asks for a fresh proof (ASVS
    7.5.2): a thief of one session must not be the one to end the owner's. Raises NotFound or ReauthenticationRequired.
    """
    if login_session_id == signed_in.login_session_id:
        sign_out(signed_in, client)
    else:
        require_fresh(signed_in)
        end_login_session(signed_in, login_session_id, client)


def end_other_login_sessions(signed_in: SignedIn, client: Client) -> int:
    """End all of the user's login sessions but the one that asks; how many there were."""
    with transaction() as tx:
        others = LoginSession.id != signed_in.login_session_id
        ended = end_login_sessions(tx, signed_in.user_id, EndReason.ENDED_BY_USER, others)
        record_event(
            tx,
            signed_in.user_id,
            EventKind.OTHER_SESSIONS_ENDED,
            client,
            login_session_id=signed_in.login_session_id,
            count=ended,
        )
    return ended


def end_every_login_session(signed_in: SignedIn, client: Client) -> int:
    """End all of the user's login sessions, the one that asks too; how many there were. Asks for no fresh proof: it
    gives a thief nothing, and an owner in a hurry must not be held up.
    """
    with transaction() as tx:
        mine = LoginSession.id == signed_in.login_session_id
        others = end_login_sessions(tx, signed_in.user_id, EndReason.ENDED_BY_USER, ~mine)
        own = end_login_sessions(tx, signed_in.user_id, EndReason.SIGNED_OUT, mine)
        record_event(
            tx,
            signed_in.user_id,
            EventKind.OTHER_SESSIONS_ENDED,
            client,
            login_session_id=signed_in.login_session_id,
            count=others,
        )
        record_event(tx, signed_in.user_id, EventKind.SIGNED_OUT, client, login_session_id=signed_in.login_session_id)
    return others + own


def end_login_sessions(tx: Session, user_id: uuid.UUID, reason: EndReason, *which: ColumnElement[bool]) -> int:
    """End, in `tx`, a user's login sessions: all, or those for which `which` holds. How many still were live."""
    lock_users(tx, user_id)
    now = clock.now()
    ended = tx.execute(
        update(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None), *which)
        .values(ended_at=now, end_reason=reason)
        .execution_options(synchronize_session=False)
        .returning(
            LoginSession.id,
            LoginSession.kind,
            LoginSession.last_seen_at,
            LoginSession.idle_limit,
            LoginSession.expires_at,
        )
    ).all()
    # Their access tokens are refused here at once, and by the other processes within about a second.
    after_commit(tx, partial(runtime().revoked.note, *(str(row.id) for row in ended if row.kind == "api")))
    return sum(now < min(row.expires_at, row.last_seen_at + timedelta(seconds=row.idle_limit)) for row in ended)


def make_room(tx: Session, user_id: uuid.UUID) -> None:
    """End what is one too many, so that one more can begin: the one unseen for longest."""
    values = {"of": user_id, "now": clock.now(), "reason": EndReason.TOO_MANY, "keep": MOST_A_USER - 1}
    gone = tx.connection().execute(_END_SURPLUS, values).scalars()
    after_commit(tx, partial(runtime().revoked.note, *map(str, gone)))
