"""Argon2id: the cost, the same work in every case, and a bound on how much of it at once."""

import threading
import unicodedata
from datetime import timedelta

import pytest
from argon2 import extract_parameters

from webapp.errors import Busy
from webapp.policy.passwords import MAX_LENGTH, MAX_RECEIVED_LENGTH
from webapp.services.hashing import PasswordHashing
from webapp.settings import Settings

CHEAP = {"time_cost": 1, "memory_kib": 64, "parallelism": 1, "concurrency": 4}
SECRET = "  a Lamp under the Third Stair "


def make_hashing(**changes) -> PasswordHashing:
    return PasswordHashing(**(CHEAP | changes))


@pytest.fixture
def hashing() -> PasswordHashing:
    return make_hashing()


@pytest.mark.asvs("11.4.2")
def test_the_cost_is_argon2id_with_19_mebibytes_and_two_passes_unless_set():
    default = Settings.model_fields
    hashing = make_hashing(
        time_cost=default["ARGON2_TIME_COST"].default,
        memory_kib=default["ARGON2_MEMORY_KIB"].default,
        parallelism=default["ARGON2_PARALLELISM"].default,
    )
    password_hash = hashing.hash(SECRET)
    cost = extract_parameters(password_hash)
    assert password_hash.startswith("$argon2id$")
    assert (cost.memory_cost, cost.time_cost, cost.salt_len, cost.hash_len) >= (19456, 2, 16, 32)


def test_two_hashes_of_one_password_differ_and_both_prove_it(hashing):
    one, other = hashing.hash(SECRET), hashing.hash(SECRET)
    assert one != other
    assert hashing.verify(one, SECRET)
    assert hashing.verify(other, SECRET)


@pytest.mark.asvs("6.2.8")
@pytest.mark.parametrize("wrong", [SECRET.strip(), SECRET.lower(), SECRET.upper(), SECRET[:-1], SECRET + " ", ""])
def test_only_exactly_the_password_proves_it(hashing, wrong):
    assert not hashing.verify(hashing.hash(SECRET), wrong)


@pytest.mark.asvs("6.2.8", "6.2.9")
@pytest.mark.parametrize("start", ["x", "등", "🔥"])
def test_a_long_password_counts_to_its_last_character(hashing, start):
    password = start * (MAX_LENGTH - 1)
    assert hashing.verify(hashing.hash(password + "a"), password + "a")
    assert not hashing.verify(hashing.hash(password + "a"), password + "b")
    assert not hashing.verify(hashing.hash(password + "a"), password[:72])


def test_a_password_is_the_same_from_a_keyboard_that_composes_and_one_that_does_not(hashing):
    password_hash = hashing.hash(unicodedata.normalize("NFD", "세 번째 계단 아래 café"))
    assert hashing.verify(password_hash, unicodedata.normalize("NFC", "세 번째 계단 아래 café"))


@pytest.mark.asvs("11.2.5")
@pytest.mark.parametrize("damaged", ["", "x", "등불", "$argon2id$", "$2b$12$aaaaaaaaaaaaaaaaaaaaaa", "-1", "tag"])
def test_a_damaged_hash_opens_nothing(hashing, damaged):
    whole = hashing.hash(SECRET)
    damaged = {"-1": whole[:-1], "tag": whole.rpartition("$")[0] + "$"}.get(damaged, damaged)
    assert not hashing.verify(damaged, SECRET)
    assert not hashing.verify(damaged, "")


@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize("case", ["right", "wrong", "nobody", "damaged", "cut short", "half a character", "a book"])
def test_every_proof_costs_one_hash(hashing, case):
    password_hash = hashing.hash(SECRET)
    stored = {"nobody": None, "damaged": "x", "cut short": password_hash[:-3]}.get(case, password_hash)
    shown = {"wrong": "no", "half a character": "\ud800", "a book": "x" * (MAX_RECEIVED_LENGTH + 1)}.get(case, SECRET)
    before = hashing.hashes_made
    assert hashing.verify(stored, shown) is (case == "right")
    assert hashing.hashes_made == before + 1


@pytest.mark.parametrize("password", ["\ud800", "x" * (MAX_RECEIVED_LENGTH + 1)])
def test_what_the_rules_refuse_is_not_hashed(hashing, password):
    with pytest.raises(ValueError):  # noqa: PT011
        hashing.hash(password)
    assert hashing.hashes_made == 0


@pytest.mark.asvs("11.2.2", "11.4.2")
def test_a_hash_made_at_another_cost_is_still_good_and_due_for_renewal(hashing):
    old = hashing.hash(SECRET)
    dearer = make_hashing(time_cost=2, memory_kib=128)
    assert not hashing.needs_rehash(old)
    assert dearer.verify(old, SECRET)
    assert dearer.needs_rehash(old)
    assert not dearer.needs_rehash(dearer.hash(SECRET))
    assert dearer.needs_rehash("damaged")


class Gate:
    """Stands in for Argon2 and holds everybody who comes, to see how many come at once."""

    def __init__(self, expected: int) -> None:
        self.inside = threading.Barrier(expected + 1)
        self.open = threading.Event()

    def hash(self, password: bytes) -> str:
        self.inside.wait(60)
        self.open.wait(60)
        return "made"


@pytest.mark.asvs("15.4.3")
def test_no_more_hashes_are_made_at_once_than_the_setting_says_and_who_waits_too_long_is_told(monkeypatch):
    hashing = make_hashing(concurrency=2, longest_wait=timedelta(milliseconds=20))
    gate = Gate(expected=2)
    monkeypatch.setattr(hashing, "_argon2", gate)
    workers = [threading.Thread(target=hashing.hash, args=(SECRET,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    gate.inside.wait(60)  # both are at work

    with pytest.raises(Busy):
        hashing.hash(SECRET)
    with pytest.raises(Busy):
        hashing.verify(None, SECRET)

    gate.open.set()
    for worker in workers:
        worker.join(60)
    monkeypatch.undo()
    assert hashing.verify(hashing.hash(SECRET), SECRET)  # their places are free again


def test_hashes_made_in_parallel_are_all_counted(hashing):
    workers = [threading.Thread(target=hashing.verify, args=(None, SECRET)) for _ in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert hashing.hashes_made == 20
