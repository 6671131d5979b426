"""Something that happened to an account's security, kept for its owner to read."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ids import new_id
from webapp.models.base import Base
from webapp.models.login_session import USER_AGENT_LENGTH


class SecurityEvent(Base):
    __tablename__ = "security_events"
    __table_args__ = (Index(None, "user_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(48))  # policy.security_events.EventKind
    at: Mapped[datetime] = mapped_column(index=True)
    ip: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(USER_AGENT_LENGTH))
    login_session_id: Mapped[uuid.UUID | None]  # may outlive the row it names
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
