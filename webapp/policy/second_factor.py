"""Second factors: time steps of an authenticator app, and how codes are written."""

from datetime import datetime
from enum import StrEnum, auto

TOTP_SECONDS = 30  # a step (RFC 6238, section 5.2)
STEPS_LATE = 1  # at most: typing takes time, and clocks differ (RFC 6238, section 5.2)
CODE_DIGITS = 6
RECOVERY_CODES = 10
RECOVERY_LENGTH = 24  # characters of 5 bits: 120 bits, so that a plain hash is enough (ASVS 6.5.2)
RECOVERY_GROUP = 6  # characters between two dashes
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: none that look alike
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})


class Method(StrEnum):
    """How a second factor is shown."""

    TOTP = auto()
    RECOVERY = auto()
    PASSKEY = auto()


def step_at(at: datetime) -> int:
    """The time step of a moment."""
    return int(at.timestamp()) // TOTP_SECONDS


def acceptable_steps(at: datetime, last_step: int | None) -> list[int]:
    """The steps whose code is good now, the newest first: none that was accepted before, nor any before that one
    (ASVS 6.5.1).
    """
    now = step_at(at)
    return [step for step in range(now, now - STEPS_LATE - 1, -1) if last_step is None or step > last_step]


def clean_totp(typed: str) -> str | None:
    """Six digits as they are compared, or None. People copy blanks along."""
    digits = "".join(typed.split())
    return digits if len(digits) == CODE_DIGITS and digits.isascii() and digits.isdigit() else None


def clean_recovery(typed: str) -> str | None:
    """A recovery code as it is compared, or None: without dashes, and with what is read for another put right."""
    plain = "".join(typed.split()).replace("-", "")
    code = plain.upper().translate(_MISREAD)
    return code if plain.isascii() and len(code) == RECOVERY_LENGTH and set(code) <= set(ALPHABET) else None


def written(code: str) -> str:
    """A recovery code as it is shown."""
    return "-".join(code[i : i + RECOVERY_GROUP] for i in range(0, len(code), RECOVERY_GROUP))
