"""What a provider's news about somebody's account there means for their account here (OpenID RISC Profile 1.0; Google's
Cross-Account Protection).
"""

from datetime import timedelta
from enum import StrEnum, auto
from typing import Final

OLDEST: Final = timedelta(days=90)  # news older than this is refused, so that what was seen need not be kept for ever
_RISC: Final = "https://schemas.openid.net/secevent/risc/event-type/"
_OAUTH: Final = "https://schemas.openid.net/secevent/oauth/event-type/"
BULK: Final = "bulk-account"


class Reaction(StrEnum):
    """What is done about it."""

    END_SESSIONS = auto()  # every one of the user's
    END_OWN_SESSIONS = auto()  # those that were begun by this provider
    BLOCK = auto()  # the identity signs nobody in until the provider says that it may again
    UNBLOCK = auto()
    DROP_GRANT = auto()  # what we were allowed to do there
    WARN = auto()  # the user should change how they sign in
    NOTE = auto()  # nothing but a line in the log


_REACTIONS: Final[dict[str, frozenset[Reaction]]] = {
    _RISC + "sessions-revoked": frozenset({Reaction.END_SESSIONS}),
    _OAUTH + "tokens-revoked": frozenset({Reaction.END_OWN_SESSIONS, Reaction.DROP_GRANT}),
    _RISC + "account-disabled": frozenset({Reaction.END_SESSIONS, Reaction.BLOCK, Reaction.DROP_GRANT}),
    _RISC + "account-purged": frozenset({Reaction.END_OWN_SESSIONS, Reaction.BLOCK, Reaction.DROP_GRANT}),
    _RISC + "account-enabled": frozenset({Reaction.UNBLOCK}),
    _RISC + "account-credential-change-required": frozenset({Reaction.WARN}),
    _RISC + "verification": frozenset({Reaction.NOTE}),  # the provider tries whether news arrives
    # One token of ours was taken back. The next renewal finds that out by itself.
    _OAUTH + "token-revoked": frozenset({Reaction.NOTE}),
}


def judge_event(event_type: str, reason: str | None) -> frozenset[Reaction]:
    """What follows from an event; nothing from one that we do not know. An account that was closed because it was made
    in bulk is not in other hands; without a reason it may be.
    """
    if event_type == _RISC + "account-disabled" and reason == BULK:
        return frozenset({Reaction.NOTE})
    return _REACTIONS.get(event_type, frozenset())
