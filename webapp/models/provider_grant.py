"""What an identity's owner let us do at the provider: tokens of the provider's, sealed, and how to renew them."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import Base


class ProviderGrant(Base):
    __tablename__ = "provider_grants"

    identity_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("identities.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)  # access and refresh token, bound to the user
    scope: Mapped[str] = mapped_column(String(2048))  # as it was granted
    granted_at: Mapped[datetime]
    expires_at: Mapped[datetime]  # of the access token
    version: Mapped[int]  # steps at each renewal: of many who renew at once, one does
    renewing_until: Mapped[datetime | None]  # somebody is asking the provider, for so long at most
