"""Two providers for any test, each on its own port for the whole run and honest at the start of every test."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from stand_in.clients import Client
from stand_in.people import COMPANY, ELSEWHERE, GMAIL, KOREAN, UNVERIFIED
from stand_in.server import Server, listen
from tests.providers.lying import LyingProvider
from webapp.gateways import provider_http

PUBLIC_URL = "http://127.0.0.1:8000"


@contextmanager
def running_provider(name: str) -> Iterator[LyingProvider]:
    """A provider whose client's redirect URI is /login/<name>/callback of the site."""
    listening = listen()
    client = Client(
        client_id="client-of-tests" if name == "google" else f"client-of-{name}",
        secret=f"secret-of-tests-{name}",
        redirect_uris=(f"{PUBLIC_URL}/login/{name}/callback",),
        name="Doorway",
    )
    provider = LyingProvider(f"http://127.0.0.1:{listening.getsockname()[1]}", client, key_name=name)
    server = Server(listening, provider.wsgi)
    server.start()
    try:
        yield provider
    finally:
        provider.reset()
        server.stop()


@pytest.fixture(autouse=True)
def _nobody_is_in_a_hurry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a site waits for a provider is meant for a machine that has nothing else to do. Tests of what gives up set
    what they need, and tests of documents read what is really there.
    """
    if "asvs" in request.node.path.parts:
        return
    for name in ("DEADLINE", "READ_TIMEOUT", "CONNECT_TIMEOUT", "WAIT_FOR_A_PLACE"):
        monkeypatch.setattr(provider_http, name, 30.0)


@pytest.fixture(scope="session")
def _google_provider() -> Iterator[LyingProvider]:
    with running_provider("google") as provider:
        yield provider


@pytest.fixture(scope="session")
def _acme_provider() -> Iterator[LyingProvider]:
    with running_provider("acme") as provider:
        yield provider


@pytest.fixture
def provider(_google_provider: LyingProvider) -> Iterator[LyingProvider]:
    """A provider that stands where Google would. It can be told to lie: `provider.lie`."""
    _google_provider.reset()
    yield _google_provider
    _google_provider.reset()


@pytest.fixture
def other_provider(_acme_provider: LyingProvider) -> Iterator[LyingProvider]:
    """A second provider, of another issuer, with other keys and another client."""
    _acme_provider.reset()
    yield _acme_provider
    _acme_provider.reset()


@pytest.fixture
def people() -> SimpleNamespace:
    """The people at every provider: gmail, company (hd), elsewhere, unverified, korean."""
    return SimpleNamespace(gmail=GMAIL, company=COMPANY, elsewhere=ELSEWHERE, unverified=UNVERIFIED, korean=KOREAN)
