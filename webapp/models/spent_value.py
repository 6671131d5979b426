"""A value from outside that works once and has worked: the nonce of an app's ID token, the id of an
event, the challenge of a passkey."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base


class SpentValue(Base):
    __tablename__ = "spent_values"

    value_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of what it was for and the value
    expires_at: Mapped[datetime] = mapped_column(index=True)  # when it would be refused by its age alone
