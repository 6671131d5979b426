"""Refreshing: one row a device, one step by compare-and-swap, and one answer for all who hold the same line."""

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Row, Table, bindparam, select, update
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import RefreshReused, SessionRevoked, TokenExpired, TokenInvalid
from webapp.metrics import REFRESHES
from webapp.models import LoginSession, User
from webapp.policy.login_sessions import EndReason
from webapp.policy.rotation import REUSED, Verdict, judge_refresh
from webapp.policy.security_events import EventKind
from webapp.services import account_mail, second_factor
from webapp.services.access_tokens import Subject
from webapp.services.client import Client
from webapp.services.login_sessions import end_login_sessions
from webapp.services.refresh_tokens import RefreshToken
from webapp.services.runtime import runtime
from webapp.services.security_events import record_event
from webapp.services.signing_keys import current_key
from webapp.services.tokens import Tokens, issue_tokens
from webapp.services.transaction import statement, transaction

# Of the table and not of its objects, built once with their values left open: this is what apps do all day.
_row = cast(Table, LoginSession.__table__).c
_WANTED = (_row.user_id, _row.generation, _row.expires_at, _row.auth_time, _row.methods, _row.device_name)
_STEP = (
    update(cast(Table, LoginSession.__table__))
    .where(
        _row.id == bindparam("sid"),
        _row.generation == bindparam("presented"),
        _row.ended_at.is_(None),
        _row.expires_at > bindparam("now"),
    )
    .values(
        generation=_row.generation + 1,
        rotated_at=bindparam("now"),
        last_seen_at=bindparam("now"),
        ip=bindparam("from_ip"),
    )
    .returning(*_WANTED)
)
_LOOK = select(*_WANTED, _row.rotated_at, _row.ended_at, _row.end_reason).where(_row.id == bindparam("sid"))


@dataclass(frozen=True)
class _Line:
    """What a login session's row says of its refresh tokens."""

    subject: Subject
    generation: int
    expires_at: datetime
    device_name: str | None


def rotate_refresh_token(raw: str, client: Client) -> Tokens:
    """Exchange a refresh token for the current generation of its login session.

    The current one steps to the next. The one just left behind gets the current one again, within the leeway. Any
    other ends the login session: its owner reads of it in a mail, in the log of the account and on the next page.

    Raises TokenInvalid, TokenExpired, SessionRevoked, StoreUnavailable, FactorSetupRequired, which spends nothing, or
    RefreshReused (RFC 9700, section 4.14.2; ASVS 10.4.5).
    """
    token, key = runtime().refresh_tokens.verify(raw), current_key()
    # Where a second factor is demanded, a step may have to be taken back.
    with statement(alone=not runtime().settings.MFA_REQUIRED) as tx:
        verdict, line, reason = _step(tx, token, client)
        goes_on = verdict in (Verdict.ROTATE, Verdict.REPEAT)
        if goes_on and line is not None and second_factor.is_owed(line.subject.methods):
            second_factor.require_factor(tx, line.subject.user_id)
    REFRESHES.labels(verdict.value).inc()
    if verdict in REUSED and line is not None:
        _end_line(token, line, verdict, client)
        raise RefreshReused
    if verdict is Verdict.EXPIRED:
        raise TokenExpired
    if verdict is Verdict.ENDED or line is None:
        raise SessionRevoked(**({"reason": reason} if reason else {}))
    return issue_tokens(key, line.subject, generation=line.generation, expires_at=line.expires_at)


def login_session_of(raw: str) -> uuid.UUID | None:
    """Which login session a refresh token of ours is of, live or not."""
    try:
        return runtime().refresh_tokens.verify(raw).login_session_id
    except (TokenInvalid, TokenExpired):
        return None


def sign_out_by_refresh_token(raw: str, client: Client) -> uuid.UUID:
    """End the login session of a refresh token, whichever generation it is of: whoever held it may at least do that.
    Gives which one it was.

    Raises TokenInvalid, or TokenExpired; a login session that is over already is no error.
    """
    token = runtime().refresh_tokens.verify(raw)
    with transaction() as tx:
        user_id = _end(tx, token.login_session_id, EndReason.SIGNED_OUT)
        if user_id is not None:
            record_event(tx, user_id, EventKind.SIGNED_OUT, client, login_session_id=token.login_session_id)
    return token.login_session_id


def replace_by_sign_in(raw: str | None) -> None:
    """End the login session of the refresh token that a browser held before it signed in anew: nothing is left of it
    there. What is no token of ours, or no longer, is nothing to end.
    """
    with suppress(TokenInvalid, TokenExpired):
        token = runtime().refresh_tokens.verify(raw or "")
        with transaction() as tx:
            _end(tx, token.login_session_id, EndReason.REPLACED)


def _end(tx: Session, sid: uuid.UUID, reason: EndReason) -> uuid.UUID | None:
    """End one login session; whose it was, if it was live."""
    user_id = tx.scalar(select(LoginSession.user_id).where(LoginSession.id == sid))
    if user_id is None or not end_login_sessions(tx, user_id, reason, LoginSession.id == sid):
        return None
    return user_id


def _step(tx: Connection, token: RefreshToken, client: Client) -> tuple[Verdict, _Line | None, str | None]:
    """Compare and swap: of any number who present the current generation, on any number of workers, one steps."""
    sid, now = token.login_session_id, clock.now()
    values = {"sid": sid, "presented": token.generation, "now": now, "from_ip": client.ip}
    stepped = tx.execute(_STEP, values).one_or_none()
    if stepped is not None:
        return Verdict.ROTATE, _line(sid, stepped), None
    row = tx.execute(_LOOK, {"sid": sid}).one_or_none()
    if row is None or row.generation is None:
        return Verdict.ENDED, None, None
    verdict = judge_refresh(
        presented=token.generation,
        current=row.generation,
        rotated_at=row.rotated_at,
        ended=row.ended_at is not None,
        expires_at=row.expires_at,
        now=now,
        leeway=runtime().settings.REFRESH_LEEWAY,
    )
    return verdict, _line(sid, row), row.end_reason


def _end_line(token: RefreshToken, line: _Line, verdict: Verdict, client: Client) -> None:
    sid = token.login_session_id
    with transaction() as tx:
        if not end_login_sessions(tx, line.subject.user_id, EndReason.REFRESH_REUSED, LoginSession.id == sid):
            return  # somebody else showed a spent one at the same moment, or the owner ended it
        user = tx.get_one(User, line.subject.user_id)
        user.warning = EventKind.REFRESH_REUSED
        details: dict[str, Any] = {"case": verdict.value, **({"app": line.device_name} if line.device_name else {})}
        record_event(tx, user.id, EventKind.REFRESH_REUSED, client, login_session_id=sid, **details)
        account_mail.tell_of_reuse(tx, user, client)


def _line(sid: uuid.UUID, row: Row[*tuple[Any, ...]]) -> _Line:
    subject = Subject(row.user_id, sid, row.auth_time, tuple(row.methods.split()))
    return _Line(subject, row.generation, row.expires_at, row.device_name)
