"""Talking to an OpenID provider over HTTP, within bounds: so long, so many bytes, no redirects, a few threads.

Whatever the provider does (dribble, redirect, send without end), nobody waits longer than DEADLINE for it, and no more
than CALLS_AT_ONCE threads of a process are held up by it (RFC 9700, section 4; ASVS 15.3.2, 1.3.6).
"""

import base64
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar
from urllib.parse import quote_plus

import requests
import structlog
from authlib.integrations.requests_client import OAuth2Session
from requests.adapters import HTTPAdapter

from webapp.errors import DomainError, ProviderUnavailable
from webapp.gateways.provider_connections import NOTED_POOLS, Lines

DEADLINE: Final = 5.0  # seconds for everything that is asked on one occasion, see one_deadline
CONNECT_TIMEOUT: Final = 2.0  # seconds
READ_TIMEOUT: Final = 4.0  # seconds between two bytes
CALLS_AT_ONCE: Final = 4  # in one process, to one provider
WAIT_FOR_A_PLACE: Final = 0.5  # seconds
MAX_BYTES: Final = 256 * 1024  # of one answer

T = TypeVar("T")

_log = structlog.get_logger("provider")
_until: ContextVar[float | None] = ContextVar("webapp_provider_deadline", default=None)


class GrantRefused(Exception):
    """The provider takes a code or a refresh token no more."""


@contextmanager
def one_deadline() -> Iterator[None]:
    """All that is asked in the meantime has to be answered within one DEADLINE, instead of within one each."""
    token = _until.set(_until.get() or time.monotonic() + DEADLINE)
    try:
        yield
    finally:
        _until.reset(token)


class Outbound:
    """The way to one provider."""

    def __init__(self, provider: str) -> None:
        self._provider = provider  # its name, for the log
        self._places = threading.BoundedSemaphore(CALLS_AT_ONCE)

    def call(self, talk: Callable[[OAuth2Session], T], **client: Any) -> T:
        """What `talk` makes of a session that keeps the bounds; `client` is who we are there.

        It runs in a thread of its own, whose connection is cut at the deadline and which keeps its place until it
        ends. Raises what is ours if `talk` does, and ProviderUnavailable whatever else went wrong.
        """
        try:
            return self._call(talk, client)
        except ProviderUnavailable as error:
            _log.warning("provider_call_failed", provider=self._provider, reason=str(error.details.get("reason")))
            raise

    def _call(self, talk: Callable[[OAuth2Session], T], client: Mapping[str, Any]) -> T:
        until = _until.get() or time.monotonic() + DEADLINE
        if not self._places.acquire(timeout=min(WAIT_FOR_A_PLACE, _left(until))):
            raise ProviderUnavailable(reason="busy")
        lines = Lines()
        outcome: list[T] = []
        failure: list[Exception] = []
        done = threading.Event()

        def run() -> None:
            try:
                with lines, _session(client) as session:
                    outcome.append(talk(session))
            except Exception as error:
                failure.append(error)
            finally:
                self._places.release()
                done.set()

        try:
            threading.Thread(target=run, name="openid-provider", daemon=True).start()
        except RuntimeError:  # the system gives out no more threads
            self._places.release()
            raise ProviderUnavailable(reason="no_thread") from None
        if not done.wait(_left(until)):
            lines.cut()
            raise ProviderUnavailable(reason="slow")
        if failure:
            raise _refusal(failure[0]) from None
        return outcome[0]


def get_json(session: OAuth2Session, url: str, *, with_token: bool = False) -> tuple[dict[str, Any], Mapping[str, str]]:
    """A JSON object and the headers it came with. Raises ProviderUnavailable, or whatever the libraries raise."""
    response = session.get(url, withhold_token=not with_token, headers={"Accept": "application/json"})
    if response.status_code != 200:
        raise ProviderUnavailable(reason=f"status_{response.status_code}")
    document = response.json()
    if not isinstance(document, dict):
        raise ProviderUnavailable(reason="not_an_object")
    return document, response.headers


class _Bounded(HTTPAdapter):
    """Reads an answer to its end, up to MAX_BYTES, and follows nothing."""

    def __init__(self) -> None:
        super().__init__(max_retries=0)
        self.poolmanager.pool_classes_by_scheme = NOTED_POOLS

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
        response = super().send(request, stream=True, timeout=timeout, verify=verify, cert=cert, proxies=proxies)
        try:
            if response.is_redirect or 300 <= response.status_code < 400:
                raise ProviderUnavailable(reason="redirect")
            response._content = _read(response)
            response._content_consumed = True  # type: ignore[attr-defined]
        finally:
            response.close()
        return response


def _read(response: requests.Response) -> bytes:
    chunks, length = [], 0
    while chunk := response.raw.read1(64 * 1024, decode_content=True):
        length += len(chunk)
        if length > MAX_BYTES:
            raise ProviderUnavailable(reason="too_long")
        chunks.append(chunk)
    return b"".join(chunks)


def _session(client: Mapping[str, Any]) -> OAuth2Session:
    session = OAuth2Session(**client)
    session.trust_env = False  # no .netrc and no proxy from the environment decides who hears our secret
    session.register_client_auth_method(("client_secret_basic", _basic))
    adapter = _Bounded()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _basic(client: Any, _method: str, url: str, headers: Any, body: Any) -> tuple[str, Any, Any]:
    """Both are form-encoded before they are put together (RFC 6749, section 2.3.1), which Authlib leaves out."""
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return url, headers, body


def _left(until: float) -> float:
    return max(until - time.monotonic(), 0.0)


def _refusal(error: Exception) -> Exception:
    ours = isinstance(error, DomainError | GrantRefused)
    return error if ours else ProviderUnavailable(reason=type(error).__name__)
