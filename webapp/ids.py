"""Identifiers of rows: unique, ordered by time, never a secret."""

import secrets
import threading
import time
import uuid

_making = threading.Lock()
_last = 0  # milliseconds and, below them, the 12 bits that count within one


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562, section 5.7): rows made later sort later, so an index grows at its end. What one process
    makes sorts in the order it was made, also within a millisecond (section 6.2, method 1).

    Guessable in part, so never proof of anything: secrets come from `secrets` (ASVS 11.5.1).
    """
    global _last
    with _making:
        _last = max(_last + 1, (time.time_ns() // 1_000_000 << 12) | secrets.randbits(8))
        milliseconds, count = divmod(_last, 1 << 12)
    value = (milliseconds << 80) | (count << 64) | secrets.randbits(64)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)
