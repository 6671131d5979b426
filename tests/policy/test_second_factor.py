"""Time steps of an authenticator app, and how people write codes."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from webapp.policy import second_factor
from webapp.policy.second_factor import acceptable_steps, clean_recovery, clean_totp, step_at, written

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
CODE = "0123456789ABCDEFGHJKMNPQ"


@pytest.mark.asvs("6.5.5")
def test_the_code_of_now_and_of_one_step_before_are_good_and_no_other() -> None:
    now = step_at(NOON)
    assert acceptable_steps(NOON, None) == [now, now - 1]


@pytest.mark.asvs("6.5.5")
def test_a_step_lasts_thirty_seconds() -> None:
    assert step_at(NOON + timedelta(seconds=29)) == step_at(NOON)
    assert step_at(NOON + timedelta(seconds=30)) == step_at(NOON) + 1


@pytest.mark.asvs("6.5.1")
def test_a_step_that_was_accepted_is_good_no_more_and_neither_is_one_before_it() -> None:
    now = step_at(NOON)
    assert acceptable_steps(NOON, now - 1) == [now]
    assert acceptable_steps(NOON, now) == []
    assert acceptable_steps(NOON, now + 1) == [], "after the clock was put back"


@pytest.mark.parametrize("typed", ["123456", " 123456 ", "123 456", "1 2 3 4 5 6", "123\u00a0456", "\t123456\n"])
def test_blanks_in_a_code_are_what_people_copy_along(typed: str) -> None:
    assert clean_totp(typed) == "123456"


@pytest.mark.parametrize(
    "typed",
    [
        *("", "12345", "1234567", "12345a", "-12345", "+12345", "12345.", "0x1234", "123_456", "123-456"),
        "\uff11\uff12\uff13\uff14\uff15\uff16",  # fullwidth
        "\u0661\u0662\u0663\u0664\u0665\u0666",  # Arabic-Indic
        "12345\u00b2",  # a superscript, which is a digit to Python
        "12345\u0000",
        "12345\ud800",
        "1" * 100_000,
    ],
)
def test_six_ascii_digits_are_a_code_and_nothing_else_is(typed: str) -> None:
    assert clean_totp(typed) is None


@pytest.mark.parametrize(
    "typed",
    [
        CODE,
        CODE.lower(),
        written(CODE),
        f" {written(CODE).lower()} ",
        "OI23456789ABCDEFGHJKMNPQ",
        "oL23456789abcdefghjkmnpq",
    ],
)
def test_a_recovery_code_is_read_as_people_write_it(typed: str) -> None:
    assert clean_recovery(typed) == CODE


@pytest.mark.parametrize(
    "typed", ["", CODE[:-1], CODE + "0", CODE[:-1] + "U", CODE[:-1] + "\u0131", CODE[:-1] + "!", "\ud800"]
)
def test_what_is_no_recovery_code_is_none(typed: str) -> None:
    assert clean_recovery(typed) is None


@pytest.mark.asvs("6.5.2", "6.5.4")
def test_a_recovery_code_is_too_long_to_be_guessed_even_from_its_hash() -> None:
    assert len(set(second_factor.ALPHABET)) == len(second_factor.ALPHABET)
    assert second_factor.RECOVERY_LENGTH * math.log2(len(second_factor.ALPHABET)) >= 112


def test_a_recovery_code_is_shown_in_groups() -> None:
    assert written(CODE) == "012345-6789AB-CDEFGH-JKMNPQ"
