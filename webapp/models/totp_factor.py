"""The authenticator app of an account: its secret, sealed, and the newest time step that was accepted."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base


class TotpFactor(Base):
    __tablename__ = "totp_factors"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)  # bound to the user
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]  # None: being set up, and counts for nothing
    last_step: Mapped[int | None]  # each is accepted once (RFC 6238, section 5.2)
    last_used_at: Mapped[datetime | None]
