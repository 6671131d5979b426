"""The log that an account's owner reads, and its twin in the structured log."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import cast

import structlog
from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from webapp import clock
from webapp.metrics import note_event
from webapp.models import SecurityEvent
from webapp.policy.security_events import EventKind
from webapp.services.client import Client
from webapp.services.transaction import after_commit, transaction

PAGE_SIZE = 20
_RECORD = insert(cast(Table, SecurityEvent.__table__))  # as a statement: every sign-in and every change ends with one
_log = structlog.get_logger("security")


@dataclass(frozen=True)
class EventPage:
    """Events, newest first, and where the next older page begins."""

    events: list[SecurityEvent]
    older: uuid.UUID | None


def record_event(
    tx: Session,
    user_id: uuid.UUID,
    kind: EventKind,
    client: Client,
    *,
    login_session_id: uuid.UUID | None = None,
    at: datetime | None = None,
    **details: str | int,
) -> None:
    """Record in `tx` what happened. `details` are plain values for the sentence, never a secret (ASVS 16.2.5)."""
    tx.flush()  # what it is about may be new
    values = {
        "user_id": user_id,
        "kind": kind,
        "at": at or clock.now(),
        "ip": client.ip,
        "user_agent": client.user_agent,
        "login_session_id": login_session_id,
        "details": details,
    }
    tx.connection().execute(_RECORD, values)
    # Only what was committed has happened.
    after_commit(tx, partial(log_security, kind, user_id=user_id, login_session_id=login_session_id))


def log_security(event: str, **ids: uuid.UUID | str | None) -> None:
    """One line in the structured log for whoever watches the site: ids only (ASVS 16.3.1)."""
    note_event(event)
    _log.info(event, **{name: str(value) for name, value in ids.items() if value is not None})


def list_events(user_id: uuid.UUID, *, before: uuid.UUID | None = None, limit: int = PAGE_SIZE) -> EventPage:
    """One page of at most `limit` of a user's events, paged by key so that page 1,000 costs what page 1 does."""
    query = select(SecurityEvent).where(SecurityEvent.user_id == user_id).order_by(SecurityEvent.id.desc())
    if before is not None:
        query = query.where(SecurityEvent.id < before)
    with transaction() as tx:
        events = list(tx.scalars(query.limit(limit + 1)))
    return EventPage(events[:limit], older=events[limit - 1].id if len(events) > limit else None)
