"""Mails go out while nobody waits: soon, by one thread a process, through outages, and never lost with a worker."""

import os
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
import time_machine
from flask import Flask, current_app
from sqlalchemy.exc import OperationalError

from tests.mail_house import MailHouse, begin, mail_house, worker_process
from tests.mail_server import MailServer, running_mail_server
from tests.people import Browser
from tests.providers import faults
from tests.providers.lying import LyingProvider
from tests.providers.site import google_settings
from tests.servers.postgres import PostgresServer
from tests.servers.process import wait_until
from webapp import clock
from webapp.http import background
from webapp.http.background import install_background
from webapp.services import outbox
from webapp.services.provider_revocations import request_revocation
from webapp.services.transaction import transaction
from webapp.settings import SettingsError

NEVER = 3600.0  # seconds


@pytest.fixture
def server() -> Iterator[MailServer]:
    with running_mail_server() as server:
        yield server


@pytest.fixture
def house(server: MailServer, tmp_path: Path) -> Iterator[MailHouse]:
    with mail_house(f"sqlite:///{tmp_path / 'mail.db'}", server.url, tmp_path) as house:
        yield house


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread looks often, also after a failure."""
    monkeypatch.setattr(background, "POLL", 0.02)
    monkeypatch.setattr(background, "SLOWEST_POLL", 0.05)


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread never looks of its own accord."""
    monkeypatch.setattr(background, "POLL", NEVER)


def enqueue(app: Flask, to: str = "mina@example.org") -> None:
    with app.app_context(), transaction() as tx:
        outbox.enqueue(tx, "account_deleted", to=to, locale="ko", params={})


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "background"]


@pytest.mark.usefixtures("deaf")
def test_the_first_request_starts_the_sender_and_a_commit_wakes_it(
    new_app: Callable[..., Flask], server: MailServer
) -> None:
    app = new_app(MAIL_URL=server.url)
    install_background(app)
    assert threads() == []
    try:
        Browser(app).get("/")
        assert len(threads()) == 1
        enqueue(app)
        wait_until(lambda: bool(server.envelopes))
    finally:
        background.stop(app)
    assert threads() == []


@pytest.mark.usefixtures("impatient")
def test_what_another_process_left_is_sent_too(house: MailHouse, server: MailServer) -> None:
    house.enqueue()
    install_background(house.app)
    background.ensure_started(house.app)
    wait_until(lambda: bool(server.envelopes))


def test_an_application_without_background_work_starts_and_wakes_nothing(house: MailHouse) -> None:
    background.ensure_started(house.app)
    background.wake(house.app)
    background.stop(house.app)
    assert threads() == []


@pytest.mark.usefixtures("deaf")
def test_many_first_requests_start_one_thread(house: MailHouse) -> None:
    install_background(house.app)
    barrier = threading.Barrier(20)

    def first_request() -> None:
        barrier.wait()
        background.ensure_started(house.app)

    requests = [threading.Thread(target=first_request) for _ in range(20)]
    for request in requests:
        request.start()
    for request in requests:
        request.join()
    assert len(threads()) == 1


@pytest.mark.usefixtures("deaf")
def test_a_forked_process_starts_its_own_thread(house: MailHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    install_background(house.app)
    background.ensure_started(house.app)
    with monkeypatch.context() as fork:
        fork.setattr(os, "getpid", lambda: 0)
        background.ensure_started(house.app)
        assert len(threads()) == 2
        background.stop(house.app)
    assert len(threads()) == 1


@pytest.mark.usefixtures("impatient")
def test_a_sender_that_stops_finishes_the_mail_under_way_and_begins_no_other(
    house: MailHouse, server: MailServer
) -> None:
    install_background(house.app)
    background.ensure_started(house.app)
    server.holds.set()
    house.enqueue()
    house.enqueue()
    assert server.at_data.wait(60)
    stopping = threading.Thread(target=background.stop, args=(house.app,))
    stopping.start()
    wait_until(lambda: house.app.extensions["background"]._process.stopping.is_set())
    server.holds.clear()
    stopping.join()
    assert sorted(str(row.outcome) for row in house.rows) == ["None", "sent"]
    background.ensure_started(house.app)
    assert threads() == []


@pytest.mark.asvs("13.2.6")
def test_a_mail_server_that_hangs_slows_no_page(new_app: Callable[..., Flask], server: MailServer) -> None:
    app = new_app(MAIL_URL=server.url)
    install_background(app)
    server.holds.set()
    try:
        background.ensure_started(app)
        enqueue(app)
        assert server.at_data.wait(60)
        assert Browser(app).get("/").status_code == 200
        enqueue(app)
        assert server.envelopes == []
    finally:
        server.holds.clear()
        background.stop(app)


@pytest.mark.usefixtures("impatient")
def test_the_sender_outlives_a_database_that_was_away(
    postgres_server: PostgresServer, server: MailServer, tmp_path: Path
) -> None:
    url = postgres_server.new_database()
    with mail_house(url, server.url, tmp_path) as house, structlog.testing.capture_logs() as lines:
        install_background(house.app)
        background.ensure_started(house.app)
        with postgres_server.outage(url):
            wait_until(lambda: any(line["event"] == "background_failed" for line in lines))
        wait_until(lambda: _enqueued(house))
        wait_until(lambda: bool(server.envelopes))
    postgres_server.drop_database(url)


def _enqueued(house: MailHouse) -> bool:
    try:
        house.enqueue()
    except OperationalError:
        return False
    return True


@pytest.mark.usefixtures("impatient")
def test_housekeeping_is_done_now_and_then_and_its_failure_stops_nothing(
    house: MailHouse, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "HOUSEKEEPING", 0.01)
    applications: list[str] = []

    def housekeeping() -> None:
        applications.append(current_app.name)
        raise RuntimeError

    install_background(house.app, housekeeping)
    background.ensure_started(house.app)
    wait_until(lambda: len(applications) >= 2)
    house.enqueue()
    wait_until(lambda: bool(server.envelopes))


@pytest.mark.usefixtures("impatient")
def test_mails_that_wait_in_great_number_do_not_hold_up_housekeeping(
    house: MailHouse, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "HOUSEKEEPING", 0.0)
    monkeypatch.setattr(background, "BATCH", 1)
    for _ in range(3):
        house.enqueue()
    sent: list[int] = []
    install_background(house.app, lambda: sent.append(len(server.envelopes)))
    background.ensure_started(house.app)
    wait_until(lambda: len(server.envelopes) == 3)
    assert sent[0] < 3


def test_a_mail_url_that_makes_no_sense_stops_the_start(tmp_path: Path) -> None:
    url = "smtp://mail.example.com?startls=1"
    with mail_house("sqlite://", url, tmp_path) as house, pytest.raises(SettingsError):
        install_background(house.app)


def give_back(app: Flask, token: str) -> None:
    """Somebody has disconnected a provider that had granted something."""
    with app.app_context(), transaction() as tx:
        request_revocation(tx, "google", token)


@pytest.mark.usefixtures("deaf")
def test_what_a_provider_granted_is_given_back_as_soon_as_that_is_committed(
    new_app: Callable[..., Flask], provider: LyingProvider
) -> None:
    app = new_app(**google_settings(provider))
    install_background(app)
    try:
        Browser(app).get("/")
        give_back(app, "a-token-of-the-provider")
        wait_until(lambda: bool(provider.asked("revoke")))
    finally:
        background.stop(app)
    assert provider.asked("revoke")[0].form["token"] == "a-token-of-the-provider"


@pytest.mark.asvs("13.2.6")
@pytest.mark.usefixtures("impatient")
def test_a_provider_that_hangs_slows_no_page_and_one_that_fails_no_mail(
    new_app: Callable[..., Flask], provider: LyingProvider, server: MailServer
) -> None:
    app = new_app(**google_settings(provider), MAIL_URL=server.url)
    install_background(app)
    release = threading.Event()
    provider.lie.answers["revoke"] = faults.held_until(release)
    try:
        give_back(app, "a-token")
        background.ensure_started(app)
        wait_until(lambda: bool(provider.asked("revoke")))
        assert Browser(app).get("/").status_code == 200
        provider.lie.answers["revoke"] = faults.failing()
        release.set()
        give_back(app, "another-token")
        wait_until(lambda: len(provider.asked("revoke")) == 2)
        enqueue(app)
        wait_until(lambda: bool(server.envelopes))
    finally:
        release.set()
        background.stop(app)


@pytest.mark.asvs("13.2.6")
def test_a_worker_killed_in_the_middle_of_a_mail_loses_nothing(house: MailHouse, server: MailServer) -> None:
    house.enqueue(to="mina@example.org")
    server.holds.set()
    with worker_process(house, threads=0) as worker:
        begin(worker)
        assert server.at_data.wait(30)
        worker.kill()
        worker.wait()
    server.holds.clear()
    assert (house.row.attempts, house.row.finished_at) == (1, None)
    assert house.send() == 0  # its claim stands, as if it were still at work
    with time_machine.travel(clock.now() + outbox.CLAIM + timedelta(seconds=1)):
        assert house.send() == 1
    assert [envelope.rcpt_tos for envelope in server.envelopes] == [["mina@example.org"]]
