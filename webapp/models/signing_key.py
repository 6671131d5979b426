"""A key that signs access tokens. Its state follows from the times (policy.signing_keys)."""

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base


class SigningKey(Base):
    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(String(43), primary_key=True)  # RFC 7638 thumbprint
    number: Mapped[int] = mapped_column(unique=True)  # one more than the key before: of many who make it, one does
    sealed: Mapped[bytes] = mapped_column(LargeBinary)  # the private half; emptied when withdrawn
    created_at: Mapped[datetime]
    active_from: Mapped[datetime]  # signs from then on, until a later key does
    withdrawn_at: Mapped[datetime | None]  # an operator took it back: nothing it signed is good any more
