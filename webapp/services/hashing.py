"""Argon2id hashes of passwords: made, proven, and no more of them at once than the machine can bear."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from webapp.errors import Busy
from webapp.metrics import BUSY, HASHES
from webapp.policy.passwords import MAX_RECEIVED_LENGTH, normalise_password

_WAITING, _UNDER_WAY = HASHES.labels("waiting"), HASHES.labels("under_way")
LONGEST_WAIT = timedelta(seconds=5)  # for a place among the hashes under way


class PasswordHashing:
    """Argon2id (RFC 9106) at one cost, a bounded number at a time in this process.

    `hashes_made` counts every computation, so that a test can show that all answers cost the same.
    """

    def __init__(
        self,
        *,
        time_cost: int,
        memory_kib: int,
        parallelism: int,
        concurrency: int,
        longest_wait: timedelta = LONGEST_WAIT,
    ) -> None:
        self._argon2 = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism)
        self._places = threading.BoundedSemaphore(concurrency)
        self._longest_wait = longest_wait.total_seconds()
        self._counting = threading.Lock()
        self._nobodys_hash = self._argon2.hash(secrets.token_bytes(32))
        self.hashes_made = 0

    def hash(self, password: str) -> str:
        """A new hash of `password`, with a salt of its own.

        Raises Busy, and ValueError for what the rules refuse before: half characters, and thousands of them.
        """
        octets = _octets(password)
        with self._place():
            self._count()
            return self._argon2.hash(octets)

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether `password` is the one that was hashed. Raises Busy.

        The work is that of one hash in every case: also where there is no account or no password (None), where the
        stored hash is damaged, and where no password could ever read like this one (ASVS 6.3.8).
        """
        try:
            octets = _octets(password)
        except ValueError:
            octets, password_hash = b"", None
        with self._place():
            try:
                if password_hash is not None:
                    return self._matches(password_hash, octets)
            except (VerificationError, InvalidHashError, UnicodeError):
                pass  # damaged: refused before any work was done
            self._matches(self._nobodys_hash, octets)
            return False

    def needs_rehash(self, password_hash: str) -> bool:
        """Whether it was made at another cost than today's (ASVS 11.2.2)."""
        try:
            return self._argon2.check_needs_rehash(password_hash)
        except (InvalidHashError, UnicodeError):
            return True

    def _matches(self, password_hash: str, octets: bytes) -> bool:
        try:
            self._argon2.verify(password_hash, octets)
        except VerifyMismatchError:
            self._count()
            return False
        self._count()
        return True

    def _count(self) -> None:
        with self._counting:
            self.hashes_made += 1

    @contextmanager
    def _place(self) -> Iterator[None]:
        with _WAITING.track_inprogress():
            has_place = self._places.acquire(timeout=self._longest_wait)
        if not has_place:
            BUSY.inc()
            raise Busy
        try:
            with _UNDER_WAY.track_inprogress():
                yield
        finally:
            self._places.release()


def _octets(password: str) -> bytes:
    """What is hashed: NFC (NIST SP 800-63B-4, 3.1.1.2) in UTF-8, nothing trimmed or cut (ASVS 6.2.8)."""
    if len(password) > MAX_RECEIVED_LENGTH:
        raise ValueError("longer than any password here")
    return normalise_password(password).encode()
