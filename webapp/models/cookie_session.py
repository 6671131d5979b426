"""The bag behind a signed-in browser's cookie, where no Redis keeps it."""

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base


class CookieSession(Base):
    __tablename__ = "cookie_sessions"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of the id in the cookie, hexadecimal
    data: Mapped[bytes] = mapped_column(LargeBinary)  # msgpack
    expires_at: Mapped[datetime] = mapped_column(index=True)
