"""Browsers and apps that have signed in to an account before. Knowing one grants nothing; it only spares the owner
the waits that strangers cause, and tells a new device from an old one.
"""

import secrets
import uuid
from typing import cast

from sqlalchemy import ColumnElement, Table, bindparam, delete, exists, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from webapp import clock
from webapp.models import KnownDevice
from webapp.services.newest import drop_beyond_newest
from webapp.services.one_time import digest

DEVICE_BYTES = 32
MOST_A_USER = 100  # the ones unseen for longest give way: an app that keeps no cookie is a new device each time


_row = cast(Table, KnownDevice.__table__).c
_SEEN = (  # built once, with its values left open: it runs at every sign-in
    update(cast(Table, KnownDevice.__table__))
    .where(_row.user_id == bindparam("of"), _row.device_hash == bindparam("device"))
    .values(last_seen_at=bindparam("now"))
    .returning(_row.user_id)
)


def is_known_device(tx: Session, user_id: uuid.UUID, device: str | None) -> bool:
    """Whether this account was signed in to from this device before."""
    if device is None:
        return False
    found = select(KnownDevice).where(KnownDevice.user_id == user_id, KnownDevice.device_hash == digest(device))
    return bool(tx.scalar(select(found.exists())))


def knows_device(user_id: InstrumentedAttribute[uuid.UUID]) -> ColumnElement[bool]:
    """The same as a column of a statement that finds the user; its parameter is `device_hash`."""
    return exists().where(KnownDevice.user_id == user_id, KnownDevice.device_hash == bindparam("device_hash"))


def new_device() -> str:
    """The secret of a device that has none yet."""
    return secrets.token_urlsafe(DEVICE_BYTES)


def remember_device(tx: Session, user_id: uuid.UUID, device: str | None) -> tuple[str, bool]:
    """Note a sign-in from a device. Gives its secret (a new one where it had none), and whether the owner should be
    told of it: an unknown device of an account that has known ones.
    """
    now = clock.now()
    if device is not None:
        values = {"of": user_id, "device": digest(device), "now": now}
        if tx.connection().execute(_SEEN, values).scalar() is not None:
            return device, False
    has_others = bool(tx.scalar(select(exists().where(KnownDevice.user_id == user_id))))
    device = device or new_device()
    tx.add(KnownDevice(user_id=user_id, device_hash=digest(device), created_at=now, last_seen_at=now))
    _make_room(tx, user_id)
    return device, has_others


def forget_devices(tx: Session, user_id: uuid.UUID) -> None:
    """Treat every device of this account as new."""
    tx.execute(delete(KnownDevice).where(KnownDevice.user_id == user_id))


def _make_room(tx: Session, user_id: uuid.UUID) -> None:
    tx.flush()
    mine = KnownDevice.user_id == user_id
    order = (KnownDevice.last_seen_at.desc(), KnownDevice.device_hash)
    drop_beyond_newest(tx, KnownDevice.device_hash, mine, order=order, keep=MOST_A_USER)
