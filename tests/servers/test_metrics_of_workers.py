"""The figures of all workers are one, whoever is asked and whoever was killed."""

import os
import re
import signal

from tests.servers.fixtures import NewSite
from tests.servers.process import wait_until
from tests.servers.site import LiveSite
from tests.servers.test_gunicorn import ON_LINUX, Visitor, only, workers_of


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
    before = set(workers_of(site))
    os.kill(workers_of(site)[0], signal.SIGKILL)
    wait_until(lambda: len(workers_of(site)) == 2 and set(workers_of(site)) != before)
    assert count_of(site, visits) == 2
