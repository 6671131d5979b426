"""A mail that must go out, written in the same transaction as what it tells of."""

import uuid
from datetime import datetime

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ids import new_id
from webapp.models.base import Base


class OutboxMessage(Base):
    __tablename__ = "outbox_messages"
    __table_args__ = (Index(None, "finished_at", "next_attempt_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    event: Mapped[str] = mapped_column(String(48))  # the folder under templates/email
    sealed: Mapped[bytes] = mapped_column(LargeBinary)  # address, language and parameters; emptied when finished
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime]  # also the end of a sender's claim
    attempts: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))  # "sent", "given_up" or "nobody"
