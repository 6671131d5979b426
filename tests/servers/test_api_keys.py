"""The keys of access tokens, with four real workers: one is made, the next takes over unnoticed, a lost one is dead."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import count

import pytest

from tests.servers.conftest import WORKERS
from tests.servers.devices import ApiSite, Device, Line, kid_of, with_kid
from tests.servers.process import wait_until
from tests.servers.test_gunicorn import ON_LINUX
from webapp import clock
from webapp.models import SigningKey

pytestmark = ON_LINUX

_strange = (f"nobody's {number}" for number in count())


@pytest.mark.asvs("15.4.2")
def test_workers_that_find_no_key_make_one(api_site: ApiSite) -> None:
    api_site.site.stop()
    api_site.rows.delete(SigningKey)
    gate = threading.Barrier(WORKERS)

    def together(line: Line) -> list[str]:
        gate.wait(20)
        return line.published()

    with api_site.no_trouble():
        api_site.site.start()
        with api_site.line_to_each_worker() as lines, ThreadPoolExecutor(WORKERS) as pool:
            answers = list(pool.map(together, lines))
    (row,) = api_site.rows.all(SigningKey)
    assert answers == [[row.kid]] * WORKERS
    assert kid_of(api_site.new_device().access_token) == row.kid


def test_no_token_fails_while_one_key_takes_over_from_another(api_site: ApiSite) -> None:
    """The time in which everybody hears of the next key is over, in this test, as soon as all workers have."""
    probe = api_site.new_device()
    old, first_token = kid_of(probe.access_token), probe.access_token
    with api_site.no_trouble(), living(api_site) as rounds:
        new = api_site.site.flask("keys", "rotate").split()[0]
        on_each_worker(api_site, probe, lambda line: line.published()[-2:] == [old, new])
        with api_site.line_to_each_worker() as lines:
            assert {signs_with(line, probe) for line in lines} == {old}
        api_site.rows.set(SigningKey, {"kid": new}, active_from=clock.now() - timedelta(seconds=1))
        on_each_worker(api_site, probe, lambda line: signs_with(line, probe) == new)
        before = rounds()
        wait_until(lambda: rounds() > before)
        with api_site.line_to_each_worker() as lines:
            assert all(line.takes(token) for line in lines for token in (first_token, probe.access_token))


def test_what_a_withdrawn_key_signed_is_refused_and_refreshing_gives_what_is_good(api_site: ApiSite) -> None:
    device = api_site.new_device()
    stolen, withdrawn = device.access_token, kid_of(device.access_token)
    api_site.site.flask("keys", "retire", withdrawn)
    on_each_worker(api_site, device, lambda line: not line.takes(stolen))
    device.refresh()
    with api_site.line_to_each_worker() as lines:
        assert all(line.takes(device.access_token) for line in lines)
        assert all(signs_with(line, device) != withdrawn and withdrawn not in line.published() for line in lines)
    assert device.row.ended_at is None


def on_each_worker(api: ApiSite, device: Device, condition: Callable[[Line], bool]) -> None:
    """Return when the condition holds on each worker. A token of an unknown key has it read the keys now: by itself it
    does so every ten seconds.
    """
    with api.line_to_each_worker() as lines:
        for line in lines:

            def holds(line: Line = line) -> bool:
                assert not line.takes(with_kid(device.access_token, next(_strange)))
                return condition(line)

            wait_until(holds)


def signs_with(line: Line, device: Device) -> str:
    """The id of the key that a worker signs with now."""
    device.keep(line.call("POST", "/auth/refresh", {"refresh_token": device.refresh_token}))
    return kid_of(device.access_token)


@contextmanager
def living(api: ApiSite) -> Iterator[Callable[[], int]]:
    """Meanwhile an app refreshes and calls, and no token that it ever got may be refused. Gives how often it did."""
    device, over, rounds = api.new_device(), threading.Event(), count()
    tokens = [device.access_token]
    done = [0]

    def live() -> None:
        while not over.is_set():
            device.refresh()
            tokens.append(device.access_token)
            for token in (tokens[0], tokens[len(tokens) // 2], tokens[-1]):
                answer = api.call("GET", "/auth/session", token=token)
                assert answer.status == 200, answer
            done[0] = next(rounds)

    with ThreadPoolExecutor(1) as pool:
        life = pool.submit(live)
        try:
            yield lambda: done[0]
        finally:
            over.set()
        life.result()
