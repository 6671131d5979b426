"""What only a look into the stores tells, for operators: asked when somebody looks, and without counting it all."""

from dataclasses import dataclass

from sqlalchemy import func, select

from webapp import clock
from webapp.models import OutboxMessage
from webapp.services import outbox
from webapp.services.runtime import runtime

MOST_COUNTED = 1000  # mails that wait; beyond it only their age tells how bad it is

_waits = OutboxMessage.finished_at.is_(None)
_OLDEST = select(OutboxMessage.created_at).where(_waits).order_by(*outbox.IN_TURN).limit(MOST_COUNTED)


@dataclass(frozen=True)
class OutboxFigures:
    """How many mails wait, at most MOST_COUNTED, and how long the oldest of them has, in seconds."""

    waiting: int
    oldest_seconds: float

    @property
    def told(self) -> str:
        """How many, in words that do not take the most that is counted for all."""
        return f"{self.waiting} or more waiting" if self.waiting == MOST_COUNTED else f"{self.waiting} waiting"


def outbox_figures() -> OutboxFigures:
    """The outbox now. Raises what the database raises when it does not answer."""
    found = _OLDEST.subquery()
    with runtime().single.connect() as connection:
        waiting, oldest = connection.execute(select(func.count(), func.min(found.c.created_at))).one()
    age = 0.0 if oldest is None else (clock.now() - oldest).total_seconds()
    return OutboxFigures(waiting, max(0.0, age))
