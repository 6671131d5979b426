"""What a mailed link is good for."""

from datetime import UTC, datetime, timedelta

import pytest

from webapp.policy.one_time import LIFE, Purpose, Verdict, judge_token

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SOON, JUST_NOW = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)


@pytest.mark.asvs("6.4.1")
@pytest.mark.parametrize(
    ("ended_by", "expires_at", "verdict"),
    [
        (None, SOON, Verdict.GOOD),
        (None, NOW, Verdict.EXPIRED),
        (None, JUST_NOW, Verdict.EXPIRED),
        ("used", SOON, Verdict.USED),
        ("used", JUST_NOW, Verdict.USED),
        ("replaced", SOON, Verdict.REPLACED),
        ("replaced", JUST_NOW, Verdict.REPLACED),
    ],
)
def test_a_link_is_judged(ended_by: str | None, expires_at: datetime, verdict: Verdict) -> None:
    assert judge_token(ended_by=ended_by, expires_at=expires_at, now=NOW) is verdict


def test_every_purpose_has_a_life_and_the_one_that_opens_an_account_the_shortest() -> None:
    assert set(LIFE) == set(Purpose)
    assert min(LIFE, key=lambda purpose: LIFE[purpose]) is Purpose.RESET_PASSWORD
    assert LIFE[Purpose.RESET_PASSWORD] <= timedelta(hours=1)
