"""Apps on devices that call a running site. Each call has a connection of its own, so that any worker may answer it."""

import base64
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection, HTTPException
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import NullPool, create_engine

from tests.people import PASSWORD
from tests.rows import Rows
from tests.servers.process import wait_until
from tests.servers.site import LiveSite
from tests.servers.test_gunicorn import only, workers_of
from webapp import clock
from webapp.models import LoginSession, User
from webapp.services.hashing import PasswordHashing

PREFIX = "/api/v1"
SIGNS_OF_TROUBLE = ("Traceback", "request_failed", "background_failed")
_ATTEMPTS = 100  # at getting an answer, each on another connection
_addresses = (f"person-{number}@example.com" for number in itertools.count(1))
_cheap = PasswordHashing(time_cost=1, memory_kib=8, parallelism=1, concurrency=4)
_opening = threading.Lock()  # two at once would each stop the other's worker
T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What a worker said."""

    status: int
    headers: Message = field(repr=False)
    body: Any

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.body["code"])


class SiteRows(Rows):
    """The tables of a running site."""

    def __init__(self, site: LiveSite) -> None:
        self.engine = create_engine(site.environment["DATABASE_URL"], poolclass=NullPool)


class ApiSite:
    """A running site with its tables, and the apps that use it."""

    def __init__(self, site: LiveSite) -> None:
        self.site = site
        self.rows = SiteRows(site)

    def new_account(self) -> str:
        """The address of a confirmed account."""
        email, now = next(_addresses), clock.now()
        columns = {"email": email, "email_key": email, "name": "Alice", "created_at": now, "email_verified_at": now}
        self.rows.add(User(**columns, password_hash=_cheap.hash(PASSWORD), password_changed_at=now))
        return email

    def new_device(self, email: str | None = None) -> "Device":
        """An app that is signed in, by default to an account of its own."""
        return Device(self, email or self.new_account())

    def call(self, method: str, path: str, body: Any = None, *, token: str = "") -> Answer:
        """One call on a connection of its own. Raises OSError or HTTPException when the worker dies meanwhile."""
        connection = self.connect()
        try:
            return call_over(connection, method, PREFIX + path, body, token=token)
        finally:
            connection.close()

    @contextmanager
    def line_to_each_worker(self) -> Iterator[list["Line"]]:
        """Within the block there is an open connection to each worker."""
        workers = int(self.site.environment["WEB_CONCURRENCY"])
        wait_until(lambda: len(workers_of(self.site)) == workers)  # the first one answers before the last one is there
        with ExitStack() as stack:
            yield [stack.enter_context(Line(self, number)) for number in range(len(workers_of(self.site)))]

    @contextmanager
    def no_trouble(self) -> Iterator[None]:
        """Within the block the site writes of no failure."""
        before = len(self.site.log_text)
        yield
        written = self.site.log_text[before:]
        assert not any(sign in written for sign in SIGNS_OF_TROUBLE), written

    def connect(self) -> HTTPConnection:
        """A new connection, to whichever worker takes it."""
        return HTTPConnection(urlsplit(self.site.url).netloc, timeout=60)


class Line:
    """An open connection to one worker, begun while the others stand still."""

    def __init__(self, api: ApiSite, number: int) -> None:
        self._api = api
        self._number = number
        self._connection = self._opened()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Any = None, *, token: str = "") -> Answer:
        """One call of this worker."""
        return self._call(method, PREFIX + path, body, token=token)

    def takes(self, token: str) -> bool:
        """Whether this worker takes an access token. Whatever is no plain yes or no fails the test."""
        answer = self.call("GET", "/auth/session", token=token)
        assert answer.status in (200, 401), answer
        return answer.status == 200

    def published(self) -> list[str]:
        """The ids of the keys that this worker publishes."""
        return [key["kid"] for key in self._call("GET", "/.well-known/jwks.json").body["keys"]]

    def _call(self, method: str, path: str, body: Any = None, *, token: str = "") -> Answer:
        try:
            return call_over(self._connection, method, path, body, token=token)
        except (ConnectionError, HTTPException):  # gunicorn closes what was quiet for some seconds
            self._connection.close()
            self._connection = self._opened()
            return call_over(self._connection, method, path, body, token=token)

    def _opened(self) -> HTTPConnection:
        connection = self._api.connect()
        with _opening, only(self._api.site, self._number):
            assert call_over(connection, "GET", "/healthz").status == 200
        return connection


class Device:
    """An app that is signed in. It keeps the tokens it was given last."""

    def __init__(self, api: ApiSite, email: str) -> None:
        self._api = api
        self.email = email
        body = {"email": email, "password": PASSWORD, "device_name": "A phone"}
        self.keep(api.call("POST", "/auth/login", body))

    def keep(self, answer: Answer) -> None:
        """Use these tokens from now on."""
        assert answer.status == 200, answer
        self.access_token: str = answer.body["access_token"]
        self.refresh_token: str = answer.body["refresh_token"]
        self.session_id: str = answer.body["session_id"]

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Call with the access token."""
        return self._api.call(method, path, body, token=self.access_token)

    def exchange(self, refresh_token: str | None = None) -> Answer:
        """What a refresh token is exchanged for; keeps nothing."""
        return self._api.call("POST", "/auth/refresh", {"refresh_token": refresh_token or self.refresh_token})

    def refresh(self) -> None:
        """Exchange the refresh token, and use what comes."""
        self.keep(self.exchange())

    @property
    def row(self) -> LoginSession:
        """The row behind it, which is one."""
        (row,) = self._api.rows.all(LoginSession, user_id=self._api.rows.user(self.email).id)
        assert str(row.id) == self.session_id
        return row


def call_over(connection: HTTPConnection, method: str, path: str, body: Any = None, *, token: str = "") -> Answer:
    """One call over an open connection, which stays open."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    return Answer(answer.status, answer.headers, json.loads(text) if text else None)


def patiently(call: Callable[[], Answer]) -> Answer:
    """As an app in a bad network: again until there is an answer. Being told to come later is none."""
    for _ in range(_ATTEMPTS):
        try:
            answer = call()
        except (OSError, HTTPException):
            continue
        if answer.status == 503:
            assert "Retry-After" in answer.headers
            continue
        return answer
    raise AssertionError("no worker ever answered")


def at_once(amount: int, call: Callable[[], T]) -> list[T]:
    """What each of so many who call at the same time gets."""
    with ThreadPoolExecutor(amount) as pool:
        return list(pool.map(lambda _: call(), range(amount)))


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    return dict(_part(token, 1))


def kid_of(token: str) -> str:
    """The id of the key that a token names."""
    return str(_part(token, 0)["kid"])


def with_kid(token: str, kid: str) -> str:
    """A token that names another key, and is good for nothing."""
    header = json.dumps(_part(token, 0) | {"kid": kid}).encode()
    return ".".join([base64.urlsafe_b64encode(header).rstrip(b"=").decode(), *token.split(".")[1:]])


def _part(token: str, number: int) -> dict[str, Any]:
    part = token.split(".")[number]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded
