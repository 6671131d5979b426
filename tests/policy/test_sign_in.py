"""What becomes of a proof: the table of what may stand before a login session."""

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from webapp.policy.sign_in import STEPS, Step, Verdict, judge_sign_in

DUE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FINE: dict[str, Any] = {
    "disabled": False,
    "email_verified": True,
    "password_blocked": False,
    "by_password": True,
    "has_factor": False,
    "factor_proven": False,
    "factor_required": False,
    "can_set_up": True,
    "deletion_due_at": None,
}
REFUSED = {Verdict.DISABLED, Verdict.UNVERIFIED, Verdict.PASSWORD_BLOCKED, Verdict.SET_UP_FACTOR}


def every_case() -> list[dict[str, Any]]:
    choices = [(None, DUE) if name == "deletion_due_at" else (True, False) for name in FINE]
    return [dict(zip(FINE, case, strict=True)) for case in product(*choices)]


@pytest.mark.asvs("6.3.3", "6.3.4")
@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.START),
        ({"disabled": True}, Verdict.DISABLED),
        ({"email_verified": False}, Verdict.UNVERIFIED),
        ({"password_blocked": True}, Verdict.PASSWORD_BLOCKED),
        ({"password_blocked": True, "by_password": False}, Verdict.START),
        ({"has_factor": True}, Verdict.SECOND_FACTOR),
        ({"has_factor": True, "factor_proven": True}, Verdict.START),
        ({"factor_required": True}, Verdict.START),  # where only the pages that set one up open
        ({"factor_required": True, "can_set_up": False}, Verdict.SET_UP_FACTOR),
        ({"factor_required": True, "can_set_up": False, "has_factor": True}, Verdict.SECOND_FACTOR),
        ({"can_set_up": False}, Verdict.START),
        ({"deletion_due_at": DUE}, Verdict.KEEP_ACCOUNT),
        ({"deletion_due_at": DUE, "disabled": True}, Verdict.DISABLED),
        ({"deletion_due_at": DUE, "password_blocked": True}, Verdict.PASSWORD_BLOCKED),
        ({"deletion_due_at": DUE, "has_factor": True}, Verdict.SECOND_FACTOR),
        ({"deletion_due_at": DUE, "has_factor": True, "factor_proven": True}, Verdict.KEEP_ACCOUNT),
        ({"email_verified": False, "password_blocked": True}, Verdict.UNVERIFIED),
        ({"password_blocked": True, "has_factor": True}, Verdict.PASSWORD_BLOCKED),
    ],
)
def test_a_proof_that_was_right_is_judged(changes: dict[str, object], verdict: Verdict) -> None:
    assert judge_sign_in(**{**FINE, **changes}) is verdict


def test_a_closed_account_stays_closed_whatever_else_is_so() -> None:
    closed = {judge_sign_in(**case) for case in every_case() if case["disabled"]}
    assert closed == {Verdict.DISABLED}


@pytest.mark.asvs("6.3.3")
def test_a_factor_that_is_there_is_shown_before_anything_else_happens() -> None:
    unproven = [case for case in every_case() if case["has_factor"] and not case["factor_proven"]]
    assert {judge_sign_in(**case) for case in unproven} <= REFUSED | {Verdict.SECOND_FACTOR}


@pytest.mark.asvs("6.3.3")
def test_where_a_factor_is_demanded_nobody_without_one_gets_beyond_setting_one_up() -> None:
    bare = [case for case in every_case() if case["factor_required"] and not case["has_factor"]]
    assert {judge_sign_in(**case) for case in bare if not case["can_set_up"]} <= REFUSED


def test_every_step_has_a_verdict_of_its_name() -> None:
    assert {str(step) for step in Step} <= {str(verdict) for verdict in Verdict}
    assert set(STEPS.values()) == set(Step)
    assert set(Verdict) == REFUSED | set(STEPS) | {Verdict.START}
