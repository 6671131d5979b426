"""Refreshing, with four real workers: whatever is lost, repeated or killed, one line lives and nobody is signed out.

The workers are killed for a few seconds. This goes on for a minute:

    KILL_SECONDS=60 python -m pytest -n 0 tests/servers/test_api_under_gunicorn.py
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from tests.servers.conftest import WORKERS
from tests.servers.devices import Answer, ApiSite, Device, at_once, claims_of, patiently
from tests.servers.process import wait_until
from tests.servers.test_gunicorn import ON_LINUX, workers_of

KILL_SECONDS = float(os.environ.get("KILL_SECONDS", "4"))
BETWEEN_KILLS = 0.5  # seconds; a new worker takes about a second to be ready
CROWD = 20
ROUNDS = 200
DEVICES, TABS = 4, 3


def generation(answer: Answer) -> int:
    assert answer.status == 200, answer
    return int(claims_of(answer.body["refresh_token"])["gen"])


@pytest.mark.asvs("10.4.5", "15.4.2")
def test_twenty_who_refresh_with_one_token_at_once_get_one_generation(api_site: ApiSite) -> None:
    device = api_site.new_device()
    with api_site.no_trouble():
        answers = at_once(CROWD, device.exchange)
    assert [generation(answer) for answer in answers] == [2] * CROWD
    assert {answer.body["session_id"] for answer in answers} == {device.session_id}
    assert (device.row.generation, device.row.ended_at) == (2, None)
    for answer in answers:
        device.keep(answer)
        assert device.call("GET", "/me").status == 200
    device.refresh()
    assert device.row.generation == 3


def test_a_client_that_loses_every_third_answer_is_never_signed_out(api_site: ApiSite) -> None:
    device = api_site.new_device()
    answers = 0

    def exchanged() -> Answer:
        nonlocal answers
        answers += 1
        answer = device.exchange()
        assert answer.status == 200, answer
        if answers % 3 == 0:
            raise ConnectionResetError
        return answer

    with api_site.no_trouble():
        for number in range(ROUNDS):
            answer = patiently(exchanged)
            assert generation(answer) == number + 2  # a lost answer steps nothing
            device.keep(answer)
    assert answers > ROUNDS
    assert (device.row.generation, device.row.ended_at) == (ROUNDS + 1, None)
    assert device.call("GET", "/me").status == 200


@ON_LINUX
@pytest.mark.asvs("13.1.3", "15.4.2")
def test_while_workers_are_killed_nobody_is_signed_out_and_no_two_lines_live(api_site: ApiSite) -> None:
    devices = [api_site.new_device() for _ in range(DEVICES)]
    with api_site.no_trouble(), killing(api_site) as is_over, ThreadPoolExecutor(DEVICES) as pool:
        rounds = list(pool.map(lambda device: live_on(device, is_over), devices))
    for device, stepped in zip(devices, rounds, strict=True):
        assert (device.row.generation, device.row.ended_at) == (stepped + 1, None)
        assert device.call("GET", "/me").status == 200


def live_on(device: Device, is_over: Callable[[], bool]) -> int:
    """Tabs that hold the same token refresh together and call, again and again; how often the line stepped."""
    rounds = 0
    while not (is_over() and rounds > 1):
        rounds += 1
        answers = at_once(TABS, lambda: patiently(device.exchange))
        # Whoever was killed when, the round was one step, and all tabs stand on the same line.
        assert {generation(answer) for answer in answers} == {rounds + 1}
        device.keep(answers[0])
        for path in ("/auth/session", "/me"):
            assert patiently(lambda path=path: device.call("GET", path)).status == 200
    return rounds


@contextmanager
def killing(api: ApiSite) -> Iterator[Callable[[], bool]]:
    """Within the block one worker after the other is killed, until what it gives says that it is over."""
    over = threading.Event()

    def kill() -> None:
        end = time.monotonic() + KILL_SECONDS
        try:
            while time.monotonic() < end:
                with suppress(ProcessLookupError, IndexError):  # it ended by itself, or there is none at this moment
                    os.kill(random.choice(workers_of(api.site)), signal.SIGKILL)
                time.sleep(BETWEEN_KILLS)
        finally:
            over.set()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield over.is_set
    finally:
        killer.join()
        wait_until(lambda: len(workers_of(api.site)) == WORKERS)
