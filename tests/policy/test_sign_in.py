"""What becomes of a proof: the table of what may stand before a login session."""

from datetime import UTC, datetime
from itertools import product

import pytest

from webapp.policy.sign_in import Step, Verdict, judge_sign_in

DUE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FINE = {
    "disabled": False,
    "email_verified": True,
    "password_blocked": False,
    "by_password": True,
    "deletion_due_at": None,
}


@pytest.mark.asvs("6.3.4")
@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.START),
        ({"disabled": True}, Verdict.DISABLED),
        ({"email_verified": False}, Verdict.UNVERIFIED),
        ({"password_blocked": True}, Verdict.PASSWORD_BLOCKED),
        ({"password_blocked": True, "by_password": False}, Verdict.START),
        ({"deletion_due_at": DUE}, Verdict.KEEP_ACCOUNT),
        ({"deletion_due_at": DUE, "disabled": True}, Verdict.DISABLED),
        ({"deletion_due_at": DUE, "password_blocked": True}, Verdict.PASSWORD_BLOCKED),
        ({"email_verified": False, "password_blocked": True}, Verdict.UNVERIFIED),
    ],
)
def test_a_proof_that_was_right_is_judged(changes: dict[str, object], verdict: Verdict) -> None:
    assert judge_sign_in(**{**FINE, **changes}) is verdict  # type: ignore[arg-type]


def test_a_closed_account_stays_closed_whatever_else_is_so() -> None:
    for verified, blocked, by_password, due in product((True, False), (True, False), (True, False), (None, DUE)):
        verdict = judge_sign_in(
            disabled=True,
            email_verified=verified,
            password_blocked=blocked,
            by_password=by_password,
            deletion_due_at=due,
        )
        assert verdict is Verdict.DISABLED


def test_every_step_has_a_verdict_of_its_name() -> None:
    assert {str(step) for step in Step} <= {str(verdict) for verdict in Verdict}
