"""A rotation of signing keys, from its announcement to the purge: no token fails over it, and nobody waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import jwt
import pytest
import time_machine
from flask import Flask

from tests.conftest import NewApp
from tests.journeys.crowds import CROWD, all_at_once
from tests.people import Browser, runtime_of
from tests.rows import Rows
from tests.services.test_signing_keys import JWKS, current_key, issued, listed, verify
from webapp import clock
from webapp.errors import NotFound, TokenExpired, TokenInvalid
from webapp.models import SigningKey
from webapp.policy.signing_keys import ANNOUNCED_FOR, CLOCK_SKEW, ROTATE_EVERY
from webapp.services import housekeeping, signing_keys
from webapp.services.key_ring import READ_AGAIN_AFTER

SECOND = timedelta(seconds=1)
LIFE = timedelta(minutes=10)


def follow_the_clock(app: Flask) -> Flask:
    """A moved clock moves no monotonic one; here what counts seconds goes along."""
    for part in (runtime_of(app).key_ring, runtime_of(app).revoked):
        part._monotonic = lambda: clock.now().timestamp()
    return app


@pytest.fixture
def at() -> Iterator[time_machine.Traveller]:
    """The clock, at a whole second."""
    with time_machine.travel(clock.now().replace(microsecond=0), tick=False) as traveller:
        yield traveller


@pytest.fixture
def workers(new_app: NewApp, at: time_machine.Traveller) -> tuple[Flask, Flask]:
    """Two processes of one site."""
    return follow_the_clock(new_app()), follow_the_clock(new_app())


def rotate(app: Flask) -> str:
    with app.app_context():
        return signing_keys.rotate_keys().kid


def withdraw(app: Flask, kid: str) -> None:
    with app.app_context():
        signing_keys.withdraw_key(kid)


def purge(app: Flask) -> int:
    with app.app_context():
        return housekeeping.purge()["signing_keys"]


def states(app: Flask) -> dict[str, str]:
    with app.app_context():
        return {key.kid: str(key.state) for key in signing_keys.list_keys()}


def kid_of(raw: str) -> str:
    return str(jwt.get_unverified_header(raw)["kid"])


def published(app: Flask) -> list[str]:
    return [key["kid"] for key in Browser(app).get(JWKS).json["keys"]]


def test_a_key_is_announced_signs_retires_and_goes(workers: tuple[Flask, Flask], at: time_machine.Traveller) -> None:
    here, there = workers
    first = current_key(here).kid
    second = rotate(here)
    assert states(here) == {first: "active", second: "announced"}
    at.shift(ANNOUNCED_FOR - SECOND)
    assert kid_of(issued(here)) == kid_of(issued(there)) == first
    at.shift(SECOND + READ_AGAIN_AFTER)
    assert kid_of(issued(here)) == kid_of(issued(there)) == second
    assert states(there) == {first: "retired", second: "active"}
    assert purge(here) == 0
    at.shift(LIFE + CLOCK_SKEW)
    assert states(there) == {first: "gone", second: "active"}
    assert purge(here) == 1
    assert states(there) == {second: "active"}


def test_no_token_fails_over_a_rotation(workers: tuple[Flask, Flask], at: time_machine.Traveller) -> None:
    """Every twenty seconds each of two workers issues a token. Both verify all that may be good yet, and a service
    that keeps our key set for as long as it may knows their keys.
    """
    here, there = workers
    kept, read_at = published(here), clock.now()
    tokens: list[tuple[str, float]] = []
    for step in range(int((ANNOUNCED_FOR + 2 * LIFE) / (2 * READ_AGAIN_AFTER))):
        if step == 5:
            rotate(there)
        if clock.now() - read_at >= signing_keys.JWKS_MAX_AGE:
            kept, read_at = published(here), clock.now()
        now = clock.now().timestamp()
        tokens = [(raw, at) for raw, at in tokens if now < at + LIFE.total_seconds()]
        tokens += [(issued(worker), now) for worker in workers]
        for raw, _ in tokens:
            assert kid_of(raw) in kept
            verify(here, raw)
            verify(there, raw)
        at.shift(2 * READ_AGAIN_AFTER)
    assert len(states(here)) == 2


def test_the_last_token_of_a_key_is_good_for_its_whole_life(
    workers: tuple[Flask, Flask], at: time_machine.Traveller
) -> None:
    here, there = workers
    current_key(here)
    rotate(here)
    at.shift(ANNOUNCED_FOR - SECOND)
    last = issued(here)
    at.shift(LIFE - SECOND)
    for worker in workers:
        verify(worker, last)
    at.shift(SECOND)
    with pytest.raises(TokenExpired):
        verify(there, last)


def test_rotating_twice_announces_one_key(workers: tuple[Flask, Flask], at: time_machine.Traveller) -> None:
    here, there = workers
    announced = rotate(here)
    assert rotate(here) == announced
    at.shift(READ_AGAIN_AFTER)
    assert rotate(there) == announced
    assert len(states(here)) == 2
    at.shift(ANNOUNCED_FOR)
    assert rotate(there) != announced
    assert len(states(here)) == 3


@pytest.mark.asvs("15.4.2")
def test_of_many_who_rotate_at_once_one_makes_a_key(new_app: NewApp, rows: Rows) -> None:
    workers = [new_app() for _ in range(4)]
    for worker in workers:
        current_key(worker)
    announced = all_at_once([lambda worker=worker: rotate(worker) for worker in workers * (CROWD // 4)])
    assert rows.count(SigningKey) == 2
    assert len(set(announced)) == 1


def test_the_next_key_is_announced_by_itself_when_it_is_due(
    workers: tuple[Flask, Flask], at: time_machine.Traveller
) -> None:
    here, there = workers
    first = current_key(here).kid
    at.shift(ROTATE_EVERY - SECOND)
    purge(here)
    assert states(here) == {first: "active"}
    at.shift(SECOND)
    purge(here)
    purge(there)
    assert sorted(states(here).values()) == ["active", "announced"]
    at.shift(ANNOUNCED_FOR)
    purge(there)
    assert len(states(here)) == 2


def test_no_key_is_announced_where_none_was_ever_needed(workers: tuple[Flask, Flask], rows: Rows) -> None:
    purge(workers[0])
    assert rows.count(SigningKey) == 0


# Taken back


def test_a_withdrawn_key_is_good_for_nothing_at_once_and_another_signs(
    workers: tuple[Flask, Flask], at: time_machine.Traveller, rows: Rows
) -> None:
    here, there = workers
    stolen = issued(here)
    verify(there, stolen)
    withdraw(here, kid_of(stolen))
    with pytest.raises(TokenInvalid):
        verify(here, stolen)
    at.shift(READ_AGAIN_AFTER)  # what the other process needs to hear of it
    with pytest.raises(TokenInvalid):
        verify(there, stolen)
    renewed = issued(there)
    assert kid_of(renewed) != kid_of(stolen)
    verify(here, renewed)
    assert kid_of(stolen) not in published(here)
    (row,) = rows.all(SigningKey, kid=kid_of(stolen))
    assert row.sealed == b""


def test_the_announced_key_takes_the_place_of_a_withdrawn_one_at_once(workers: tuple[Flask, Flask]) -> None:
    here, _ = workers
    first, second = current_key(here).kid, rotate(here)
    withdraw(here, first)
    assert current_key(here).kid == second
    assert states(here) == {first: "gone", second: "active"}


def test_a_withdrawn_key_that_was_only_announced_never_signs(
    workers: tuple[Flask, Flask], at: time_machine.Traveller
) -> None:
    here, _ = workers
    first, second = current_key(here).kid, rotate(here)
    withdraw(here, second)
    at.shift(2 * ANNOUNCED_FOR)
    assert current_key(here).kid == first
    assert rotate(here) not in (first, second)


def test_the_word_of_a_withdrawal_stays_until_its_last_token_has_ended(
    workers: tuple[Flask, Flask], at: time_machine.Traveller
) -> None:
    here, _ = workers
    first = current_key(here).kid
    withdraw(here, first)
    at.shift(LIFE + CLOCK_SKEW)
    assert purge(here) == 0
    at.shift(SECOND)
    assert purge(here) == 1
    assert first not in states(here)


def test_what_is_withdrawn_or_unknown_cannot_be_withdrawn(workers: tuple[Flask, Flask]) -> None:
    here, _ = workers
    first = current_key(here).kid
    withdraw(here, first)
    for kid in (first, "unknown"):
        with pytest.raises(NotFound):
            withdraw(here, kid)
    assert len(states(here)) == 2


# The command


def run(app: Flask, *arguments: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["keys", *arguments])
    said = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    return result.exit_code, (result.stdout + "".join(said)).strip()


def test_the_command_lists_rotates_and_retires(workers: tuple[Flask, Flask], at: time_machine.Traveller) -> None:
    here, there = workers
    first = current_key(here).kid
    moment = f"{clock.now():%Y-%m-%d %H:%M}"
    assert run(here, "list") == (0, f"{first}  active     {moment}")
    code, line = run(here, "rotate")
    assert (code, line.split()[1]) == (0, "announced")
    assert line.split()[2:] == f"{clock.now() + ANNOUNCED_FOR:%Y-%m-%d %H:%M}".split()
    assert run(here, "rotate") == (0, line)
    assert [known.split()[1] for known in listed(here)] == ["active", "announced"]
    assert run(there, "retire", first) == (0, "withdrawn; the next key signs")
    assert [known.split()[1] for known in listed(here)] == ["gone", "active"]
    assert run(here, "retire", first) == (1, "Error: there is no such key, or it was taken back before")
    assert run(here, "retire", "x\x1b[31m")[0] == 2


def test_all_of_them_can_be_taken_back_at_once(workers: tuple[Flask, Flask], rows: Rows) -> None:
    here, there = workers
    first = current_key(here).kid
    run(here, "rotate")
    assert run(there, "retire-all") == (0, "2 withdrawn; a new key signs")
    assert [known.split()[1] for known in listed(here)] == ["gone", "gone", "active"]
    assert current_key(there).kid != first
    assert [row.sealed for row in rows.all(SigningKey) if row.withdrawn_at] == [b"", b""]


def test_the_command_shows_no_private_half(workers: tuple[Flask, Flask], rows: Rows) -> None:
    here, _ = workers
    current_key(here)
    printed = "".join(run(here, *words)[1] for words in (("rotate",), ("list",)))
    for row in rows.all(SigningKey):
        assert row.sealed.hex() not in printed
    assert "PRIVATE" not in printed
    assert "d=" not in printed


def test_a_key_whose_id_begins_with_a_dash_can_be_retired(app: Flask, rows: Rows) -> None:
    """One of sixty-four does, and is no option of the command."""
    with app.app_context():
        kid = signing_keys.current_key().kid
    rows.set(SigningKey, {"kid": kid}, kid="-O" + kid[2:])
    result = app.test_cli_runner().invoke(args=["keys", "retire", "-O" + kid[2:]])
    assert result.exit_code == 0, result.output
    assert rows.all(SigningKey, kid="-O" + kid[2:])[0].withdrawn_at is not None
