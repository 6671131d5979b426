"""What is stored sealed: readable only with the site's secret key, for one purpose and in one place.

AES-256-GCM, a key for each purpose by HKDF-SHA256 (RFC 5869) from the secret key. A sealed value is

    format (1 octet) | key id (4 octets) | nonce (12 octets) | ciphertext and tag

The format octet lets another algorithm come later; the key id finds the secret key, today's or one of the fallbacks.
"""

import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORMAT = b"\x01"
KEY_ID_LENGTH = 4  # octets
NONCE_LENGTH = 12  # octets: 96 random bits (NIST SP 800-38D, 8.2.2)
KEY_LENGTH = 32  # octets
HEADER_LENGTH = len(FORMAT) + KEY_ID_LENGTH


class SealBroken(Exception):
    """Not ours, not a key we have, not for this purpose or place, or changed since: deliberately one answer."""


class Sealer:
    """Seals with `secret_key`; opens what it or one of the `fallbacks` sealed."""

    def __init__(self, secret_key: str, fallbacks: Sequence[str] = ()) -> None:
        if not secret_key:
            raise ValueError("a seal needs a secret key")
        self._own_id = _key_id(secret_key)
        self.header = FORMAT + self._own_id  # what all begins with that is sealed now
        # Today's key last, so that it stands even if a fallback had the same id.
        self._secret_keys = {_key_id(key): key for key in (*fallbacks, secret_key)}

    @property
    def has_fallbacks(self) -> bool:
        """Whether it opens what another key than today's sealed."""
        return len(self._secret_keys) > 1

    def seal(self, plain: bytes, *, purpose: str, bound_to: str = "") -> bytes:
        """`plain`, readable only by open() with the same `purpose` and `bound_to`.

        `purpose` is a fixed name such as "outbox"; `bound_to` ties the value to its place, such as the row's id, so
        that it opens in no other row (ASVS 11.3.3).
        """
        nonce = secrets.token_bytes(NONCE_LENGTH)  # never reused, and not the caller's to choose (ASVS 11.3.4)
        cipher = _cipher(self._secret_keys[self._own_id], purpose)
        return self.header + nonce + cipher.encrypt(nonce, plain, _associated(self.header, purpose, bound_to))

    def open(self, sealed: bytes, *, purpose: str, bound_to: str = "") -> bytes:
        """What was sealed. Raises SealBroken."""
        header, nonce = sealed[:HEADER_LENGTH], sealed[HEADER_LENGTH : HEADER_LENGTH + NONCE_LENGTH]
        secret_key = self._secret_keys.get(header[len(FORMAT) :])
        if not header.startswith(FORMAT) or secret_key is None or len(nonce) != NONCE_LENGTH:
            raise SealBroken
        ciphertext = sealed[HEADER_LENGTH + NONCE_LENGTH :]
        try:
            return _cipher(secret_key, purpose).decrypt(nonce, ciphertext, _associated(header, purpose, bound_to))
        except InvalidTag:
            raise SealBroken from None

    def mac_keys(self, purpose: str) -> dict[str, bytes]:
        """A key for message authentication under each secret key, by the id of that one; today's comes first."""
        ordered = [self._own_id, *(key_id for key_id in self._secret_keys if key_id != self._own_id)]
        return {key_id.hex(): _derived(self._secret_keys[key_id], f"mac: {purpose}", KEY_LENGTH) for key_id in ordered}


def _key_id(secret_key: str) -> bytes:
    return _derived(secret_key, "key id", KEY_ID_LENGTH)


def _cipher(secret_key: str, purpose: str) -> AESGCM:
    return AESGCM(_derived(secret_key, f"seal: {purpose}", KEY_LENGTH))


def _derived(secret_key: str, info: str, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info.encode()).derive(secret_key.encode())


def _associated(header: bytes, purpose: str, bound_to: str) -> bytes:
    # The length in between: without it "a" bound to "bc" would be "ab" bound to "c".
    return b"%b%d:%b%b" % (header, len(purpose.encode()), purpose.encode(), bound_to.encode())
