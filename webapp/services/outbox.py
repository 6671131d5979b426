"""The outbox: mails are written in the transaction of what they tell of, and sent by nobody's request.

A sender claims a message by one conditional UPDATE, sends it outside of any transaction and writes down how it went.
Whoever dies in between loses nothing: the claim runs out and the message is due again. It may then arrive twice, with
the same Message-ID; it is never lost.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any, cast

import structlog
from sqlalchemy import CursorResult, Executable, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import StoreUnavailable
from webapp.gateways.mail_transport import MailFailed, MailRefused, MailTransport
from webapp.ids import new_id
from webapp.metrics import MAILS as COUNTED
from webapp.models import OutboxMessage
from webapp.services.runtime import runtime
from webapp.services.slices import delete_slice
from webapp.services.transaction import after_commit, transaction

# What each mail cannot do without. All may also name `user_agent`, `ip`, `at` (ISO 8601) and one of `expires_minutes`,
# `expires_hours`, `expires_days`.
MAILS: Mapping[str, frozenset[str]] = {
    "confirm_email": frozenset({"link"}),
    "address_taken": frozenset({"sign_in_link", "forgot_link"}),
    "reset_password": frozenset({"link"}),
    "password_changed": frozenset({"forgot_link"}),
    "confirm_new_email": frozenset({"link"}),
    "email_changed": frozenset({"new_email", "undo_link"}),
    "new_device": frozenset({"activity_link"}),
    "guessed_before": frozenset({"activity_link", "failures"}),
    "sessions_ended": frozenset({"link"}),
    "refresh_reused": frozenset({"activity_link", "forgot_link"}),
    "account_created": frozenset({"provider", "account_link"}),
    "identity_linked": frozenset({"provider", "activity_link"}),
    "identity_unlinked": frozenset({"provider", "activity_link", "forgot_link"}),
    "provider_alert": frozenset({"alert", "provider", "activity_link", "forgot_link"}),
    "factor_changed": frozenset({"change", "activity_link", "security_link"}),
    "sign_in": frozenset({"link", "code"}),
    "deletion_scheduled": frozenset({"due_at", "sign_in_link"}),
    "account_deleted": frozenset(),
}

CLAIM = timedelta(minutes=5)  # more than a mail server can take, step by step, before its timeouts end the talk
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720))  # the last one again and again
GIVE_UP_AFTER = timedelta(days=3)
KEPT_AFTER_THE_END = timedelta(days=7)
_SECONDS_TO_TRY_AGAIN = (0.2, 1.0, 3.0)
_DECOY = {"to": "nobody@example.org", "locale": "en", "params": {"link": "https://example.org/" + "x" * 64}}

# Both columns of the index, although the first is the same for all: else PostgreSQL sorts whatever waits.
IN_TURN = (OutboxMessage.finished_at, OutboxMessage.next_attempt_at)
_log = structlog.get_logger("outbox")


@dataclass(frozen=True)
class OutgoingMail:
    """One mail as it was asked for, opened and ready to be rendered."""

    id: uuid.UUID
    event: str
    to: str = field(repr=False)
    locale: str
    params: Mapping[str, str] = field(repr=False)
    request_id: str = ""  # of the request that caused it; empty where a command did


@dataclass(frozen=True)
class _Due:
    id: uuid.UUID
    event: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    next_attempt_at: datetime
    attempts: int  # before this one


def enqueue(tx: Session, event: str, *, to: str, locale: str, params: Mapping[str, str]) -> None:
    """Write a mail into the outbox within `tx`. It goes out when `tx` is committed, and never when it is not.

    Address, language and parameters are sealed: they hold links that open accounts. With them lies the id of the
    request, so that its log leads to the mail's. Raises ValueError for an event that is not in MAILS, or that lacks
    one of its parameters.
    """
    if event not in MAILS:
        raise ValueError(f"there is no mail {event}")
    if missing := MAILS[event] - params.keys():
        raise ValueError(f"the mail {event} lacks {', '.join(sorted(missing))}")
    message = _new_message(event, {"to": to, "locale": locale, "params": dict(params)})
    tx.add(message)
    after_commit(tx, runtime().wake_outbox)


def enqueue_nothing(tx: Session) -> None:
    """The same work for nobody, so that a request about an unknown address takes as long (ASVS 6.3.8)."""
    message = _new_message("nothing", _DECOY)
    message.sealed = b""
    message.finished_at = message.created_at
    message.outcome = "nobody"
    tx.add(message)
    after_commit(tx, runtime().wake_outbox)


def send_due(
    render: Callable[[OutgoingMail], EmailMessage],
    transport: MailTransport,
    *,
    limit: int,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Send up to `limit` messages that are due; return how many went out.

    What fails is tried again after the next of WAITS, for GIVE_UP_AFTER. Once `stopping()` is true no other is begun.
    Raises only when the database fails.
    """
    sent = 0
    for due in _find_due(limit):
        if stopping():
            break
        if _claim(due):
            sent += _send(due, render, transport)
    return sent


def purge(limit: int) -> int:
    """Delete up to `limit` rows that were finished KEPT_AFTER_THE_END ago; return how many there were."""
    return delete_slice(OutboxMessage.id, OutboxMessage.finished_at < clock.now() - KEPT_AFTER_THE_END, limit)


def _new_message(event: str, content: Mapping[str, Any]) -> OutboxMessage:
    message_id, now = new_id(), clock.now()
    # Bound to its row: a sealed text copied to another row, or from another table, does not open.
    whole = json.dumps({**content, "request_id": runtime().request_id()}).encode()
    sealed = runtime().sealer.seal(whole, purpose="outbox", bound_to=str(message_id))
    return OutboxMessage(id=message_id, event=event, sealed=sealed, created_at=now, next_attempt_at=now, attempts=0)


def _find_due(limit: int) -> list[_Due]:
    query = (
        select(
            OutboxMessage.id,
            OutboxMessage.event,
            OutboxMessage.sealed,
            OutboxMessage.created_at,
            OutboxMessage.next_attempt_at,
            OutboxMessage.attempts,
        )
        .where(OutboxMessage.finished_at.is_(None), OutboxMessage.next_attempt_at <= clock.now())
        .order_by(*IN_TURN)
        .limit(limit)
    )
    with transaction() as tx:
        return [_Due(*row) for row in tx.execute(query)]


def _claim(due: _Due) -> bool:
    """Whether the message is now ours alone until CLAIM has passed."""
    unchanged = (
        OutboxMessage.id == due.id,
        OutboxMessage.finished_at.is_(None),
        OutboxMessage.next_attempt_at == due.next_attempt_at,
        OutboxMessage.attempts == due.attempts,
    )
    taken = (
        update(OutboxMessage).where(*unchanged).values(next_attempt_at=clock.now() + CLAIM, attempts=due.attempts + 1)
    )
    return _write(taken) == 1


def _send(due: _Due, render: Callable[[OutgoingMail], EmailMessage], transport: MailTransport) -> bool:
    log = _log.bind(mail=due.event, message_id=str(due.id), attempt=due.attempts + 1)
    try:
        mail = _opened(due)
        if mail.request_id:
            log = log.bind(request_id=mail.request_id)
        transport.send(render(mail))
    except Exception as error:  # whatever it was, the next message must not suffer from it
        wait = WAITS[min(due.attempts, len(WAITS) - 1)]
        reason = error.reason if isinstance(error, MailFailed) else type(error).__name__
        if isinstance(error, MailRefused) or clock.now() + wait > due.created_at + GIVE_UP_AFTER:
            _finish(due, "given_up")
            COUNTED.labels("given_up").inc()
            log.error("mail_given_up", reason=reason)
        else:
            _postpone(due, wait)
            COUNTED.labels("postponed").inc()
            log.warning("mail_postponed", reason=reason, seconds=int(wait.total_seconds()))
        return False
    _finish(due, "sent")
    COUNTED.labels("sent").inc()
    log.info("mail_sent")
    return True


def _opened(due: _Due) -> OutgoingMail:
    content = json.loads(runtime().sealer.open(due.sealed, purpose="outbox", bound_to=str(due.id)))
    request_id = content.get("request_id", "")  # a mail that waits from before there was one goes out, too
    return OutgoingMail(due.id, due.event, content["to"], content["locale"], content["params"], request_id)


def _finish(due: _Due, outcome: str) -> None:
    unfinished = (OutboxMessage.id == due.id, OutboxMessage.finished_at.is_(None))
    _write_surely(update(OutboxMessage).where(*unfinished).values(finished_at=clock.now(), outcome=outcome, sealed=b""))


def _postpone(due: _Due, wait: timedelta) -> None:
    still_ours = (
        OutboxMessage.id == due.id,
        OutboxMessage.finished_at.is_(None),
        OutboxMessage.attempts == due.attempts + 1,
    )
    _write_surely(update(OutboxMessage).where(*still_ours).values(next_attempt_at=clock.now() + wait))


def _write(statement: Executable) -> int:
    with transaction() as tx:
        result = tx.execute(statement, execution_options={"synchronize_session": False})
        return cast(CursorResult[Any], result).rowcount


def _write_surely(statement: Executable) -> None:
    """Write, and when the database is busy try again: to forget that a mail went out is to send it twice."""
    for seconds in _SECONDS_TO_TRY_AGAIN:
        try:
            _write(statement)
        except (DBAPIError, StoreUnavailable):
            time.sleep(seconds)
        else:
            return
    _write(statement)
