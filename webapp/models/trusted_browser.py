"""A browser in which the second factor is not asked for a while, because its owner wanted it so."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ids import new_id
from webapp.models.base import Base
from webapp.models.login_session import USER_AGENT_LENGTH


class TrustedBrowser(Base):
    __tablename__ = "trusted_browsers"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of what the browser's cookie holds
    user_agent: Mapped[str] = mapped_column(String(USER_AGENT_LENGTH))
    ip: Mapped[str] = mapped_column(String(45))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
