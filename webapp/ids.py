"""Identifiers of rows: unique, ordered by time, never a secret."""

import secrets
import time
import uuid


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562, section 5.7): rows made later sort later, so an index grows at its end.

    Guessable in part, so never proof of anything: secrets come from `secrets` (ASVS 11.5.1).
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | secrets.randbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)
