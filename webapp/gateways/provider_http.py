"""Talking to an OpenID provider over HTTP, within bounds: so long, so many bytes, no redirects, a few threads.

Whatever the provider does (dribble, redirect, send without end), no request of ours waits longer than DEADLINE, and no
more than CALLS_AT_ONCE threads of a process are held up by it (RFC 9700, section 4; ASVS 15.3.2, 1.3.6).
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import JoseError
from requests.adapters import HTTPAdapter

from webapp.errors import ProviderUnavailable

DEADLINE: Final = 5.0  # seconds for one call, from the first byte we send to the last we read
CONNECT_TIMEOUT: Final = 2.0  # seconds
READ_TIMEOUT: Final = 4.0  # seconds between two bytes
CALLS_AT_ONCE: Final = 4  # in one process, to one provider
WAIT_FOR_A_PLACE: Final = 0.5  # seconds
MAX_BYTES: Final = 256 * 1024  # of one answer
# Whatever libraries raise over an answer that is none.
GARBAGE: Final = (
    *(AuthlibBaseError, JoseError, requests.RequestException),
    *(ValueError, TypeError, KeyError, AttributeError, RuntimeError, OSError),
)

T = TypeVar("T")


class _Bounded(HTTPAdapter):
    """Reads an answer to its end, up to MAX_BYTES and the deadline, and follows nothing."""

    def __init__(self, until: float) -> None:
        super().__init__(max_retries=0)
        self._until = until

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
            response._content = self._read(response)
            response._content_consumed = True  # type: ignore[attr-defined]
        finally:
            response.close()
        return response

    def _read(self, response: requests.Response) -> bytes:
        chunks, length = [], 0
        # read1: what has arrived, so that a body that dribbles is noticed.
        while chunk := response.raw.read1(64 * 1024, decode_content=True):
            length += len(chunk)
            if length > MAX_BYTES:
                raise ProviderUnavailable(reason="too_long")
            if time.monotonic() > self._until:
                raise ProviderUnavailable(reason="slow")
            chunks.append(chunk)
        return b"".join(chunks)


class Outbound:
    """The way to one provider."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(CALLS_AT_ONCE)

    def call(self, talk: Callable[[OAuth2Session], T], **client: Any) -> T:
        """What `talk` makes of a session that keeps the bounds; `client` is who we are there.

        It runs in a thread of its own, which is left behind where even the bounds of the socket are played with, and
        keeps its place until it ends. Raises ProviderUnavailable, whatever went wrong.
        """
        if not self._places.acquire(timeout=WAIT_FOR_A_PLACE):
            raise ProviderUnavailable(reason="busy")
        outcome: list[T] = []
        failure: list[BaseException] = []
        done = threading.Event()

        def run() -> None:
            try:
                with _session(**client) as session:
                    outcome.append(talk(session))
            except Exception as error:
                failure.append(error)
            finally:
                self._places.release()
                done.set()

        threading.Thread(target=run, name="openid-provider", daemon=True).start()
        if not done.wait(DEADLINE):
            raise ProviderUnavailable(reason="slow")
        if failure:
            raise _refusal(failure[0]) from None
        return outcome[0]


def get_json(session: OAuth2Session, url: str, *, with_token: bool = False) -> tuple[dict[str, Any], Mapping[str, str]]:
    """A JSON object and the headers it came with. Raises ProviderUnavailable, or what GARBAGE lists."""
    response = session.get(url, withhold_token=not with_token, headers={"Accept": "application/json"})
    if response.status_code != 200:
        raise ProviderUnavailable(reason=f"status_{response.status_code}")
    document = response.json()
    if not isinstance(document, dict):
        raise ProviderUnavailable(reason="not_an_object")
    return document, response.headers


def _session(**client: Any) -> OAuth2Session:
    session = OAuth2Session(**client)
    session.trust_env = False  # no .netrc and no proxy from the environment decides who hears our secret
    adapter = _Bounded(time.monotonic() + DEADLINE)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _refusal(error: BaseException) -> BaseException:
    if isinstance(error, GARBAGE):
        return ProviderUnavailable(reason=type(error).__name__)
    return error
