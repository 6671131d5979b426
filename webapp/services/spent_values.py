"""Values from outside that work once, remembered until they would be too old anyway."""

from datetime import timedelta

from sqlalchemy.orm import Session

from webapp import clock
from webapp.models import SpentValue
from webapp.services.one_time import digest


def spend(tx: Session, what: str, value: str, life: timedelta) -> None:
    """Use a value up, in `tx`. Raises IntegrityError where it was used before; of many at once, one gets through."""
    tx.add(SpentValue(value_hash=digest(f"{what}:{value}"), expires_at=clock.now() + life))
    tx.flush()
