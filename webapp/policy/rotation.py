"""What a refresh token that comes back means.

Each refresh token carries the generation it belongs to; the login session's row has the one that is current. Showing
the current one steps to the next. The one just left behind, shown again within the leeway, is a lost answer, a retry or
another tab: it gets the current one again, and nothing steps. So all who hold a token of this line converge on one.
Anything else is a token that was spent for good: either the one who shows it stole it, or whoever spent it did. Which,
nobody can tell, so the line ends (RFC 9700, section 4.14.2; ASVS 10.4.5).
"""

from datetime import datetime, timedelta
from enum import StrEnum, auto

FIRST_GENERATION = 1


class Verdict(StrEnum):
    """What becomes of a refresh token. The reused ones name the exact case."""

    ROTATE = auto()
    REPEAT = auto()  # the current generation again
    ENDED = auto()
    EXPIRED = auto()
    REUSED_LATE = auto()  # the generation just left behind, after the leeway
    REUSED_OLD = auto()  # two generations or more behind
    REUSED_AHEAD = auto()  # a generation this row never came to: its database was put back to an earlier day


REUSED = frozenset({Verdict.REUSED_LATE, Verdict.REUSED_OLD, Verdict.REUSED_AHEAD})


def judge_refresh(
    *,
    presented: int,
    current: int,
    rotated_at: datetime | None,
    ended: bool,
    expires_at: datetime,
    now: datetime,
    leeway: timedelta,
) -> Verdict:
    """Judge the generation that a refresh token presents at `now`; `rotated_at` is when the current one began.

    A clock that was put back makes the leeway longer, never shorter.
    """
    if ended:
        return Verdict.ENDED
    if now >= expires_at:
        return Verdict.EXPIRED
    if presented == current:
        return Verdict.ROTATE
    if presented > current:
        return Verdict.REUSED_AHEAD
    if presented < current - 1 or rotated_at is None:
        return Verdict.REUSED_OLD
    return Verdict.REPEAT if now - rotated_at <= leeway else Verdict.REUSED_LATE
