"""A login-in-progress: proven in part, without rights, waiting for the person's next step."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ids import new_id
from webapp.models.base import Base


class SignInInProgress(Base):
    __tablename__ = "sign_ins_in_progress"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    handle_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of what the browser or app holds
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    step: Mapped[str] = mapped_column(String(32))  # policy.sign_in.Step
    kind: Mapped[str] = mapped_column(String(8))
    methods: Mapped[str] = mapped_column(String(64))
    proven_at: Mapped[datetime]
    failures: Mapped[int | None]  # wrong passwords that went before the right one
    persistent: Mapped[bool]
    device_name: Mapped[str | None] = mapped_column(String(100))  # what an app calls itself
    refresh_transport: Mapped[str | None] = mapped_column(String(8))  # "body" or "cookie"; None on the web
    expires_at: Mapped[datetime] = mapped_column(index=True)
