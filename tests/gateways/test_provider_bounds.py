"""A slow provider holds up a few threads and nobody else."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

from tests.gateways.at_a_provider import new_handshake, relying_party, sign_in
from tests.providers import faults
from tests.providers.lying import LyingProvider
from webapp.errors import ProviderUnavailable
from webapp.gateways import provider_http
from webapp.gateways.provider_connections import Lines
from webapp.gateways.provider_http import CALLS_AT_ONCE, Outbound, get_json

TOO_MANY = 5


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests must not decide this one."""
    monkeypatch.setattr(provider_http, "DEADLINE", 60.0)
    monkeypatch.setattr(provider_http, "READ_TIMEOUT", 60.0)
    monkeypatch.setattr(provider_http, "WAIT_FOR_A_PLACE", 0.1)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a slow provider waits for."""
    event = threading.Event()
    yield event
    event.set()


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "openid-provider"]


def test_a_slow_provider_is_asked_by_a_few_at_once_and_the_others_do_not_wait(
    provider: LyingProvider, gate: threading.Event
) -> None:
    provider.lie.answers["metadata"] = faults.held_until(gate)
    party = relying_party(provider)
    with ThreadPoolExecutor(CALLS_AT_ONCE + TOO_MANY) as crowd:
        waiting = [crowd.submit(party.authorization_url, new_handshake()) for _ in range(CALLS_AT_ONCE + TOO_MANY)]
        ended = as_completed(waiting)
        for _ in range(TOO_MANY):  # while the provider still says nothing
            error = next(ended).exception()
            assert isinstance(error, ProviderUnavailable)
            assert error.details == {"reason": "busy"}
        assert not gate.is_set()
        assert len(own_threads()) == CALLS_AT_ONCE
        gate.set()
        assert all(found.result().startswith(provider.issuer) for found in ended)
    assert len(provider.asked("metadata")) == CALLS_AT_ONCE
    assert sign_in(provider, party=party)


def test_one_slow_provider_takes_no_place_of_another(
    provider: LyingProvider, other_provider: LyingProvider, gate: threading.Event
) -> None:
    provider.lie.answers["metadata"] = faults.held_until(gate)
    party = relying_party(provider)
    with ThreadPoolExecutor(CALLS_AT_ONCE) as crowd:
        waiting = [crowd.submit(party.authorization_url, new_handshake()) for _ in range(CALLS_AT_ONCE)]
        other = relying_party(other_provider, name="acme")
        assert other.authorization_url(new_handshake()).startswith(other_provider.issuer)
        assert not any(found.done() for found in waiting)
        gate.set()


@pytest.mark.parametrize("fault", [faults.slow_headers, faults.slow_body, faults.silent])
def test_what_goes_on_for_ever_is_cut_and_leaves_no_thread(
    provider: LyingProvider, monkeypatch: pytest.MonkeyPatch, fault: Callable[[], faults.Fault]
) -> None:
    provider.lie.answers["metadata"] = fault()
    party = relying_party(provider)
    with monkeypatch.context() as hasty:
        hasty.setattr(provider_http, "DEADLINE", 0.3)
        for _ in range(CALLS_AT_ONCE + 1):  # the last one gets the place of the first
            with pytest.raises(ProviderUnavailable) as unavailable:
                party.authorization_url(new_handshake())
            assert unavailable.value.details == {"reason": "slow"}
    for thread in own_threads():
        thread.join(30)
    assert own_threads() == []
    provider.lie.answers.clear()
    assert sign_in(provider, party=party)


def test_a_connection_that_opens_after_the_deadline_is_cut_at_once() -> None:
    ours, theirs = socket.socketpair()
    lines = Lines()
    with ours, theirs, lines:
        lines.cut()
        lines.note(ours)
        assert (ours.recv(1), theirs.recv(1)) == (b"", b"")


def test_a_system_without_threads_gives_the_place_back(
    provider: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    outbound = Outbound("google")
    with monkeypatch.context() as broken:
        broken.setattr(threading.Thread, "start", none_left)
        for _ in range(CALLS_AT_ONCE + 1):
            with pytest.raises(ProviderUnavailable) as unavailable:
                outbound.call(lambda session: get_json(session, provider.metadata_url))
            assert unavailable.value.details == {"reason": "no_thread"}
    assert outbound.call(lambda session: get_json(session, provider.metadata_url))


def test_whatever_breaks_on_the_way_is_a_refusal_and_gives_the_place_back() -> None:
    def talk(_session: object) -> None:
        raise AssertionError("nobody thought of this")

    outbound = Outbound("google")
    for _ in range(CALLS_AT_ONCE + 1):
        with pytest.raises(ProviderUnavailable) as unavailable:
            outbound.call(talk)
        assert unavailable.value.details == {"reason": "AssertionError"}
