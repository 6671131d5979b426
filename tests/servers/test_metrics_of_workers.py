"""The figures of all workers are one, whoever is asked and whoever was killed."""

import os
import re
import signal
import time
from pathlib import Path
from tempfile import gettempdir

from tests.servers.fixtures import NewSite
from tests.servers.process import wait_until
from tests.servers.site import LiveSite
from tests.servers.test_gunicorn import ON_LINUX, Visitor, only, wait_for_other_workers, workers_of


def count_of(site: LiveSite, line: str) -> float:
    status, text, _ = Visitor(site).open("/metrics")
    assert status == 200
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.M)
    return float(found[1]) if found else 0.0


@ON_LINUX
def test_workers_count_together_and_what_a_killed_one_counted_stays(new_site: NewSite) -> None:
    site = new_site(RATELIMIT_ENABLED="0")
    visits = 'site_request_seconds_count{endpoint="auth.login",status="2xx"}'
    for number in (0, 1):
        with only(site, number):
            assert Visitor(site).open("/login")[0] == 200
    for number in (0, 1):
        with only(site, number):
            assert count_of(site, visits) == 2
    killed = workers_of(site)[0]
    os.kill(killed, signal.SIGKILL)
    wait_for_other_workers(site, [killed])
    assert count_of(site, visits) == 2


def folders_of(site: LiveSite) -> list[Path]:
    """Where the workers count."""
    return list(Path(gettempdir()).glob(f"site-metrics-{site.pid}-*"))


def gauges_of(site: LiveSite, worker: int) -> list[Path]:
    """What says what that worker is doing."""
    return [file for folder in folders_of(site) for file in folder.glob(f"gauge*_{worker}.db")]


@ON_LINUX
def test_nothing_says_what_killed_workers_do(new_site: NewSite) -> None:
    site = new_site()
    for _ in range(3):
        killed = workers_of(site)[0]
        wait_until(lambda killed=killed: len(gauges_of(site, killed)) > 0)
        os.kill(killed, signal.SIGKILL)
        wait_for_other_workers(site, [killed])
        assert gauges_of(site, killed) == []


@ON_LINUX
def test_the_figures_outlive_new_workers_and_go_with_their_master(new_site: NewSite) -> None:
    site = new_site()
    assert Visitor(site).open("/login")[0] == 200
    before = set(workers_of(site))
    os.kill(site.pid, signal.SIGHUP)
    wait_for_other_workers(site, before)
    assert count_of(site, 'site_request_seconds_count{endpoint="auth.login",status="2xx"}') == 1
    folders = folders_of(site)
    assert len(folders) == 1
    site.stop()
    assert not any(folder.exists() for folder in folders)


@ON_LINUX
def test_times_are_of_workers_that_have_one(new_site: NewSite) -> None:
    site = new_site()

    def told(name: str) -> list[str]:
        return re.findall(rf"^{name}{{[^}}]*}} (\S+)$", Visitor(site).open("/metrics")[1], re.M)

    wait_until(lambda: bool(told("site_background_turn_timestamp_seconds")))
    [turn] = told("site_background_turn_timestamp_seconds")
    assert abs(time.time() - float(turn)) < 300, "no zero of gunicorn's master is among them"
    assert told("site_revocation_read_timestamp_seconds") == [], "nobody has read yet"
    assert Visitor(site).open("/api/v1/me")[0] == 401
