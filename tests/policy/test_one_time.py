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


def test_every_purpose_has_a_life_and_what_opens_an_account_a_short_one() -> None:
    assert set(LIFE) == set(Purpose)
    signing_in = {Purpose.APP_CODE, Purpose.SIGN_IN, Purpose.SIGN_IN_CODE, Purpose.LINK_IDENTITY}
    opening = {Purpose.RESET_PASSWORD, *signing_in}
    assert max(LIFE[purpose] for purpose in opening) < min(LIFE[purpose] for purpose in set(Purpose) - opening)
    assert LIFE[Purpose.RESET_PASSWORD] <= timedelta(hours=1)
    assert max(LIFE[purpose] for purpose in signing_in) <= timedelta(minutes=10)
    assert min(LIFE, key=lambda purpose: LIFE[purpose]) is Purpose.APP_CODE
