"""Two workers under steady load while their stores go: nobody gets a 500, nobody hangs, nobody's sign-in is lost.

Both stores are away for thirty seconds, as it takes to fail over by hand.
"""

import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.servers.devices import ApiSite, Device
from tests.servers.fixtures import NewSite
from tests.servers.postgres import PostgresServer
from tests.servers.process import wait_until
from tests.servers.test_gunicorn import Visitor, new_person
from tests.servers.valkey import ValkeyServer
from webapp.models import LoginSession

TIMEOUT = 1  # seconds: DATABASE_TIMEOUT_SECONDS
LONGEST = 30 * TIMEOUT  # an answer, on a loaded machine; who hangs does so for longer
AWAY = 30  # seconds
EMAIL = "steady@example.com"


class Servers:
    """A PostgreSQL and a Valkey that are this test's alone to stop."""

    def __init__(self) -> None:
        self.postgres, self.valkey = PostgresServer(), ValkeyServer()
        self.database_url = self.postgres.new_database()

    def close(self) -> None:
        self.postgres.close()
        self.valkey.close()

    def both_away(self) -> None:
        self.postgres.stop()
        self.valkey.stop()
        time.sleep(AWAY)
        self.postgres.start()
        self.valkey.start()

    def postgres_restarted(self) -> None:
        self.postgres.stop()
        self.postgres.start()

    def valkey_killed(self) -> None:
        self.valkey.kill()
        self.valkey.start()


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    found = Servers()
    yield found
    found.close()


@pytest.fixture(scope="module")
def api(new_site: NewSite, servers: Servers) -> Iterator[ApiSite]:
    cheap = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8", "RATELIMIT_ENABLED": "0"}
    stores = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.valkey.url}
    site = new_site(DATABASE_TIMEOUT_SECONDS=str(TIMEOUT), **cheap, **stores)
    new_person(site, EMAIL)
    yield ApiSite(site)
    site.stop()  # before its stores go for good


class Crowd:
    """People who go on doing what they do, and what they were answered."""

    def __init__(self, api: ApiSite) -> None:
        self._api = api
        self.answers: dict[str, Counter[int]] = defaultdict(Counter)
        self.longest = 0.0  # seconds
        self.troubles: list[Exception] = []
        self.phone = Device(api, EMAIL)
        self._reader = Visitor(api.site)
        assert self._reader.sign_in(EMAIL) == 303

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Within the block each does one thing after the other; afterwards all have gone home."""
        is_over = threading.Event()

        def go_on(*works: Callable[[], int]) -> None:
            while not is_over.is_set():
                for work in works:
                    self._timed(work)
                is_over.wait(0.05)

        # Refreshing and calling share a token, and so are one person's.
        works = ((self.read,), (self.call, self.refresh), (self.sign_in,))
        people = [threading.Thread(target=go_on, args=work) for work in works]
        for person in people:
            person.start()
        try:
            yield
        finally:
            is_over.set()
            for person in people:
                person.join()

    def _timed(self, work: Callable[[], int]) -> None:
        began = time.monotonic()
        try:
            self.answers[work.__name__][work()] += 1
        except Exception as error:
            self.troubles.append(error)
        self.longest = max(self.longest, time.monotonic() - began)

    def read(self) -> int:
        return self._reader.open("/account")[0]

    def refresh(self) -> int:
        answer = self.phone.exchange()
        if answer.status == 200:
            self.phone.keep(answer)
        return answer.status

    def call(self) -> int:
        return self.phone.call("GET", "/me").status

    def sign_in(self) -> int:
        return Visitor(self._api.site).sign_in(EMAIL)

    def wait_until_served(self) -> None:
        """Until a few have signed in anew, and the app has refreshed a few times."""
        before = (self.answers["sign_in"][303], self.answers["refresh"][200])
        wait_until(
            lambda: self.answers["sign_in"][303] > before[0] + 2 and self.answers["refresh"][200] > before[1] + 2
        )


@pytest.mark.timeout(300)  # two servers, a site, and half a minute without them
@pytest.mark.parametrize(
    ("fault", "readers_may"),
    [
        (Servers.postgres_restarted, {200, 503}),
        (Servers.valkey_killed, {200, 503, 303}),  # this Valkey keeps nothing: browsers sign in anew
        (Servers.both_away, {200, 503, 303}),
    ],
    ids=["PostgreSQL restarted", "Valkey killed", "both away for half a minute"],
)
@pytest.mark.asvs("13.1.3", "16.5.2", "16.5.3")
def test_under_load_everybody_waits_or_is_answered_and_no_app_is_signed_out(
    api: ApiSite, servers: Servers, fault: Callable[[Servers], None], readers_may: set[int]
) -> None:
    crowd = Crowd(api)
    with crowd.at_work():
        crowd.wait_until_served()
        fault(servers)
        crowd.wait_until_served()
    assert crowd.troubles == []
    assert crowd.longest < LONGEST
    assert set(crowd.answers["read"]) <= readers_may
    assert set(crowd.answers["sign_in"]) <= {303, 503}
    assert set(crowd.answers["refresh"]) | set(crowd.answers["call"]) <= {200, 503}
    crowd.phone.refresh()
    (row,) = api.rows.all(LoginSession, id=uuid.UUID(crowd.phone.session_id))
    assert row.ended_at is None
    assert row.generation == crowd.answers["refresh"][200] + 2, "nothing that was answered is lost"
    assert "status=500" not in api.site.log_text
    assert "last_resort" not in api.site.log_text
