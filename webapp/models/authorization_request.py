"""Somebody who was sent to an OpenID provider and is expected back: once, in the same browser, within minutes."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base
from webapp.models.identity import ISSUER_LENGTH


class AuthorizationRequest(Base):
    __tablename__ = "authorization_requests"
    __table_args__ = (Index(None, "browser_hash", "created_at"),)

    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of the parameter `state`
    browser_hash: Mapped[str] = mapped_column(String(64))  # SHA-256 of what the browser's cookie holds
    provider: Mapped[str] = mapped_column(String(16))
    issuer: Mapped[str] = mapped_column(String(ISSUER_LENGTH))
    intent: Mapped[str] = mapped_column(String(16))  # policy.authorization.Intent
    sealed: Mapped[bytes] = mapped_column(LargeBinary)  # nonce, code verifier, who asked, where to go on
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
