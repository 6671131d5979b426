"""What is recorded for an account's owner to read."""

from datetime import timedelta
from enum import StrEnum, auto

KEEP_FOR = timedelta(days=365)


class EventKind(StrEnum):
    """What happened. Stored; each has its sentence in both languages."""

    REGISTERED = auto()
    EMAIL_CONFIRMED = auto()
    SIGNED_IN = auto()
    SIGNED_OUT = auto()
    GUESSING_SLOWED = auto()
    REAUTHENTICATED = auto()
    SESSION_ENDED = auto()
    OTHER_SESSIONS_ENDED = auto()
    PASSWORD_CHANGED = auto()
    PASSWORD_RESET_REQUESTED = auto()
    PASSWORD_RESET = auto()
    EMAIL_CHANGE_REQUESTED = auto()
    EMAIL_CHANGED = auto()
    EMAIL_RESTORED = auto()
    NOT_ME = auto()
    DATA_EXPORTED = auto()
    DELETION_SCHEDULED = auto()
    DELETION_CANCELLED = auto()
    DISABLED = auto()
    ENABLED = auto()
    SIGNED_OUT_BY_OPERATOR = auto()
    REFRESH_REUSED = auto()
    ADDRESS_TAKEN_OVER = auto()
    IDENTITY_LINKED = auto()
    IDENTITY_UNLINKED = auto()
    PROVIDER_ENDED_SESSIONS = auto()
    PROVIDER_BLOCKED = auto()
    PROVIDER_UNBLOCKED = auto()
    PROVIDER_WARNED = auto()
    FACTOR_ADDED = auto()
    FACTOR_REMOVED = auto()
    FACTORS_RESET = auto()
    RECOVERY_CODES_MADE = auto()
    RECOVERY_CODE_USED = auto()
    SIGN_IN_MAILED = auto()
    SECOND_FACTOR_SLOWED = auto()
