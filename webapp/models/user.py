"""A person who has an account."""

import uuid
from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ids import new_id
from webapp.models.base import Base

NAME_LENGTH = 100  # code points
EMAIL_LENGTH = 254  # octets of a mail path (RFC 5321, section 4.5.3.1.3)


class User(Base):
    __tablename__ = "users"
    __table_args__ = (Index(None, "email_verified_at", "created_at"),)  # by which who never confirmed is found

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(EMAIL_LENGTH))  # as the person writes it
    email_key: Mapped[str] = mapped_column(String(EMAIL_LENGTH), unique=True)  # as we compare it
    email_verified_at: Mapped[datetime | None]
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), default="")
    locale: Mapped[str] = mapped_column(String(8), default="en")
    password_hash: Mapped[str | None] = mapped_column(String(255))
    password_changed_at: Mapped[datetime | None]
    password_blocked_at: Mapped[datetime | None]  # "this was not me": opens nothing until set anew by mailed link
    second_factor_since: Mapped[datetime | None]  # None: no factor is set up beside the first
    created_at: Mapped[datetime]
    warning: Mapped[str | None] = mapped_column(String(32))  # policy.security_events.EventKind, shown on the next page
    disabled_at: Mapped[datetime | None]
    deletion_due_at: Mapped[datetime | None] = mapped_column(index=True)
