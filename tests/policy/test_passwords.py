"""Which passwords may be chosen."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.policy.passwords import MAX_LENGTH, PasswordRule, judge_password, normalise_password

GOOD = "a lamp under the third stair"


def judge(password: str, *, min_length: int = 15, breached: tuple[str, ...] = (), **about: str) -> PasswordRule | None:
    person = {"email": "alice.liddell@wonder-mail.example", "name": "Alice Pleasance Liddell", "site_name": "Doorway"}
    return judge_password(password, min_length=min_length, breached=breached, **(person | about))


@pytest.mark.asvs("6.2.1")
@pytest.mark.parametrize(("length", "rule"), [(0, "too_short"), (14, "too_short"), (15, None)])
def test_a_password_has_fifteen_code_points_or_more(length, rule):
    assert judge(GOOD[:length]) == rule


@pytest.mark.asvs("6.2.1")
def test_where_the_setting_says_eight_seven_are_still_too_few():
    assert judge("lamp st", min_length=8) is PasswordRule.TOO_SHORT
    assert judge("lamp sta", min_length=8) is None


@pytest.mark.asvs("6.2.9")
@pytest.mark.parametrize("length", [64, 128, MAX_LENGTH])
@pytest.mark.parametrize("alphabet", ["the lamp under a stair ", "계단아래에있는등불", "🔥🌊🍄🧩🪁🐙🌵"])
def test_a_password_may_be_long(length, alphabet):
    assert judge((alphabet * MAX_LENGTH)[:length]) is None


def test_a_password_is_no_book():
    assert judge((GOOD * MAX_LENGTH)[: MAX_LENGTH + 1]) is PasswordRule.TOO_LONG
    assert judge("\u0323\u0301" * 5_000_000) is PasswordRule.TOO_LONG  # slow to compose, so it must not be


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_code_points_are_counted_as_composed(form):
    assert judge(unicodedata.normalize(form, "계단밑등불세개노란우산넷초록"), min_length=14) is None
    assert judge(unicodedata.normalize(form, "계단밑등불세개노란우산넷초록"), min_length=15) is PasswordRule.TOO_SHORT


@pytest.mark.asvs("6.2.5")
@pytest.mark.parametrize(
    "password",
    [
        "wvkpqhzmrtbxjgd",
        "WVKPQHZMRTBXJGD",
        "830264917350482",
        "  lamp  stair  three  ",
        "               .               ,    ",
        "🔥🌊🍄🧩🪁🐙🌵🪐🧊🦊🌋🐝🎸🍕🚀",
        "계단세번째칸아래에있는낡은등불",
        "三番目の階段の下にある古いランプ",
        "مصباح تحت الدرج الثالث",
        ')(=$;:?#"~}{|&/',
    ],
)
def test_any_kind_of_characters_will_do(password):
    assert judge(password) is None


@pytest.mark.parametrize("character", ["\0", "\n", "\t", "\x7f", "\x85", "\ud800"])
def test_what_nobody_can_type_is_refused(character):
    assert judge(GOOD + character) is PasswordRule.NOT_TEXT


@pytest.mark.asvs("6.2.11", "2.2.3")
@pytest.mark.parametrize(
    "password",
    [
        "alice.liddell@wonder-mail.example",
        "ALICE.LIDDELL@WONDER-MAIL.EXAMPLE",
        "alice.liddell.2024",
        "Alice Pleasance Liddell",
        "LiddellAlice1865!",
        "alicealicealice",
        "lleddilecila2024",
        "4l1ce-L1dde11-99",
        "wonder wonder wonder",
        "alice doorway 24",
        "alice password 123",
        "alice_qwertyuiop",
    ],
)
def test_what_is_made_of_the_persons_own_data_is_refused(password):
    assert judge(password) is PasswordRule.ABOUT_YOU


@pytest.mark.asvs("6.2.11")
@pytest.mark.parametrize("password", ["DoorwayDoorway!", "d00rw4y d00rw4y", "yawrood yawrood", "Doorway login 2024"])
def test_what_is_made_of_the_sites_name_is_refused(password):
    assert judge(password) is PasswordRule.ABOUT_SITE


@pytest.mark.asvs("6.2.11")
@pytest.mark.parametrize(
    "password",
    ["alice keeps a lamp under the stair", "the doorway behind the third lamp", "my password is a long story"],
)
def test_a_passphrase_may_hold_a_name_or_a_common_word(password):
    assert judge(password) is None


def test_a_korean_name_is_recognised():
    assert judge("김지수김지수김지수123456", name="김지수", email="j@x.example") is PasswordRule.ABOUT_YOU


def test_a_missing_or_tiny_name_forbids_nothing():
    assert judge(GOOD, name="", email="") is None
    assert judge("a wall, a bell, a call", name="A", email="a@b.c") is None


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaaaaaaa",
        "               ",
        "😀" * 15,
        "ab1ab1ab1ab1ab1ab",
        "123456789012345",
        "987654321098765",
        "abcdefghijklmnop",
        "qwertyuiopasdfgh",
        "qwertyuiop[]asdf",
        "1qaz2wsx3edc4rfv",
        "1111222233334444",
        "ㅂㅈㄷㄱㅅㅛㅕㅑㅁㄴㅇㄹㅎㅗㅓ",
        "Passw0rd-Passw0rd",
        "welcome admin 2024",
        "비밀번호비밀번호비밀번호123",
    ],
)
def test_what_everybody_tries_first_is_refused(password):
    assert judge(password) is PasswordRule.EXPECTED


def test_a_breached_password_is_refused():
    assert judge(GOOD, breached=(GOOD,)) is PasswordRule.BREACHED


def test_only_what_keeps_the_other_rules_is_looked_up():
    class Untouchable:
        def __contains__(self, password):
            raise AssertionError("looked up")

    assert judge("short", breached=Untouchable()) is PasswordRule.TOO_SHORT
    assert judge(GOOD + "\ud800", breached=Untouchable()) is PasswordRule.NOT_TEXT


@pytest.mark.asvs("6.2.8")
@given(st.text(max_size=60))
def test_composing_is_all_that_happens_to_a_password(password):
    assert normalise_password(password) == unicodedata.normalize("NFC", password)


@given(st.text(max_size=300), st.text(max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_every_text_gets_a_verdict(password, email, name, site_name):
    judge(password, email=email, name=name, site_name=site_name)
