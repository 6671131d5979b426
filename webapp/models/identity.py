"""Who somebody is at an OpenID provider. The key is (issuer, subject); the address there is told, never looked up."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.ids import new_id
from webapp.models.base import Base
from webapp.models.user import EMAIL_LENGTH, NAME_LENGTH

SUBJECT_LENGTH = 255  # ASCII characters (OpenID Connect Core 1.0, section 2)
ISSUER_LENGTH = 255
PICTURE_LENGTH = 1024


class Identity(Base):
    __tablename__ = "identities"
    # One of each provider for a user: whoever has the address there next year must not come in beside them.
    __table_args__ = (UniqueConstraint("issuer", "subject"), UniqueConstraint("user_id", "issuer"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(String(16))  # its name in the settings when it was linked
    issuer: Mapped[str] = mapped_column(String(ISSUER_LENGTH))
    subject: Mapped[str] = mapped_column(String(SUBJECT_LENGTH))
    email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))  # at the provider, when last seen
    name: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    picture_url: Mapped[str | None] = mapped_column(String(PICTURE_LENGTH))  # kept, and loaded into no page
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    blocked_at: Mapped[datetime | None]  # the provider said that it is in the wrong hands
