"""A login session: one row for every place where somebody is signed in, whatever door they came through."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ids import new_id
from webapp.models.base import Base

USER_AGENT_LENGTH = 512  # code points; longer ones are cut


class LoginSession(Base):
    __tablename__ = "login_sessions"
    __table_args__ = (Index(None, "user_id", "ended_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(8))  # "web" or "api"
    methods: Mapped[str] = mapped_column(String(64))  # how it was proven: RFC 8176 names, space between
    auth_time: Mapped[datetime]  # of the last full proof
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    idle_limit: Mapped[int]  # seconds without a visit after which it is over
    expires_at: Mapped[datetime] = mapped_column(index=True)  # the absolute limit
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    end_reason: Mapped[str | None] = mapped_column(String(32))  # policy.login_sessions.EndReason
    persistent: Mapped[bool] = mapped_column(default=False)  # "keep me signed in"
    ip: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(USER_AGENT_LENGTH))
    device_name: Mapped[str | None] = mapped_column(String(100))  # what an app calls itself
    generation: Mapped[int | None]  # of the refresh token that is current; None on the web
    rotated_at: Mapped[datetime | None]  # when that one took the place of the one before

    def idle_expires_at(self) -> datetime:
        """When it is over unless it is used."""
        return min(self.expires_at, self.last_seen_at + timedelta(seconds=self.idle_limit))

    def is_live(self, at: datetime) -> bool:
        """Whether this row still signs anybody in at that time."""
        return self.ended_at is None and at < self.idle_expires_at()
