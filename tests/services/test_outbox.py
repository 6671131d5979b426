"""A mail goes out when what it tells of was committed: once, whoever sends, and in the end whatever happens."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import structlog
import time_machine
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from tests.mail_house import MailHouse, begin, mail_house, worker_process
from tests.mail_server import MailServer, running_mail_server
from webapp import clock
from webapp.gateways.mail_transport import MailTemporarilyFailed
from webapp.models import OutboxMessage
from webapp.services import operating_figures, outbox
from webapp.services.operating_figures import OutboxFigures, outbox_figures
from webapp.services.outbox import OutgoingMail
from webapp.services.transaction import transaction

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'app.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    url = server.new_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with running_mail_server() as server:
        yield server


@pytest.fixture
def house(database_url: str, server: MailServer, tmp_path: Path) -> Iterator[MailHouse]:
    with mail_house(database_url, server.url, tmp_path) as house:
        yield house


@pytest.fixture
def at() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as at:
        yield at


class Transport:
    """Takes everything, or fails as told."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.sent: list[EmailMessage] = []

    def send(self, message: EmailMessage) -> None:
        if self.failure is not None:
            raise self.failure
        self.sent.append(message)


def plain(mail: OutgoingMail) -> EmailMessage:
    message = EmailMessage()
    message["To"] = mail.to
    message.set_content(mail.event)
    return message


def test_a_committed_mail_goes_out(house: MailHouse, server: MailServer) -> None:
    house.enqueue(to="mina@example.org")
    assert house.send() == 1
    assert server.envelopes[0].rcpt_tos == ["mina@example.org"]


def test_a_mail_of_a_transaction_that_failed_does_not_exist(house: MailHouse) -> None:
    def enqueue_and_fail() -> None:
        with transaction() as tx:
            outbox.enqueue(tx, "account_deleted", to="mina@example.org", locale="en", params={})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        enqueue_and_fail()
    assert house.rows == []
    with transaction():
        pass
    assert house.rings == []
    house.enqueue()
    assert house.rings == [None]


def test_the_sender_is_woken_after_the_commit_and_once(house: MailHouse) -> None:
    with transaction() as tx:
        for _ in range(3):
            outbox.enqueue(tx, "account_deleted", to="mina@example.org", locale="en", params={})
        assert house.rings == []
    assert house.rings == [None]


@pytest.mark.asvs("14.2.4")
def test_what_a_mail_holds_cannot_be_read_in_the_database_and_is_gone_once_it_was_sent(house: MailHouse) -> None:
    house.enqueue("reset_password", to="mina@example.org", link="https://login.example.com/password/reset/secret")
    sealed = house.row.sealed
    assert b"mina" not in sealed
    assert b"secret" not in sealed
    house.send()
    assert house.row.sealed == b""
    assert house.row.outcome == "sent"


def test_a_sealed_mail_moved_to_another_row_does_not_open(house: MailHouse, server: MailServer) -> None:
    house.enqueue(to="mina@example.org")
    house.enqueue(to="eve@example.net")
    mina, eve = house.rows
    with transaction() as tx:
        tx.execute(update(OutboxMessage).where(OutboxMessage.id == eve.id).values(sealed=mina.sealed))
    house.send()
    assert [envelope.rcpt_tos for envelope in server.envelopes] == [["mina@example.org"]]


@pytest.mark.parametrize(
    ("event", "params"), [("no_such_mail", {}), ("reset_password", {}), ("email_changed", {"undo_link": "x"})]
)
def test_a_mail_that_could_never_be_written_is_refused_at_once(
    house: MailHouse, event: str, params: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=event), transaction() as tx:
        outbox.enqueue(tx, event, to="mina@example.org", locale="en", params=params)


def test_a_mail_that_waits_from_before_requests_were_named_goes_out(house: MailHouse, server: MailServer) -> None:
    house.enqueue()
    row, sealer = house.row, house.runtime.sealer
    content = json.loads(sealer.open(row.sealed, purpose="outbox", bound_to=str(row.id)))
    del content["request_id"]
    older = sealer.seal(json.dumps(content).encode(), purpose="outbox", bound_to=str(row.id))
    with transaction() as tx:
        tx.execute(update(OutboxMessage).values(sealed=older))
    assert house.send() == 1


@pytest.mark.parametrize("failure", [None, MailTemporarilyFailed("450")])
def test_the_line_of_a_mail_names_the_request_that_caused_it(house: MailHouse, failure: Exception | None) -> None:
    with house.asked_by("the-request-that-asked"):
        house.enqueue()
    with structlog.testing.capture_logs() as lines, house.app.app_context():
        outbox.send_due(plain, Transport(failure), limit=1)
    assert [(line["event"], line["request_id"]) for line in lines] == [
        ("mail_postponed" if failure else "mail_sent", "the-request-that-asked")
    ]


def test_a_mail_for_nobody_is_a_row_like_others_and_is_never_sent(house: MailHouse) -> None:
    with transaction() as tx:
        outbox.enqueue_nothing(tx)
    assert house.rings == [None]
    assert (house.row.outcome, house.row.sealed, house.row.attempts) == ("nobody", b"", 0)
    assert house.send() == 0
    assert outbox_figures() == OutboxFigures(0, 0)


def test_a_mail_that_fails_is_tried_again_after_growing_waits_and_given_up_after_three_days(
    house: MailHouse, at: time_machine.Traveller
) -> None:
    house.enqueue()
    broken = Transport(MailTemporarilyFailed("451"))
    waits: list[float] = []
    for _ in range(30):
        outbox.send_due(plain, broken, limit=10)
        if house.row.finished_at:
            break
        waits.append((house.row.next_attempt_at - clock.now()) / timedelta(minutes=1))
        at.move_to(house.row.next_attempt_at)
    assert waits == [1, 5, 15, 60, 240, 720, 720, 720, 720, 720]
    assert (house.row.outcome, house.row.sealed) == ("given_up", b"")
    assert clock.now() - START < timedelta(days=3)


def test_a_mail_that_waits_is_not_tried_before_its_time(house: MailHouse, at: time_machine.Traveller) -> None:
    house.enqueue()
    outbox.send_due(plain, Transport(MailTemporarilyFailed("451")), limit=10)
    at.shift(59)
    assert outbox.send_due(plain, Transport(), limit=10) == 0
    at.shift(1)
    assert outbox.send_due(plain, Transport(), limit=10) == 1
    assert house.row.attempts == 2


def test_a_recipient_refused_for_good_is_not_tried_again(house: MailHouse, server: MailServer) -> None:
    server.rcpt_answer = "550 no such mailbox"
    house.enqueue()
    house.send()
    assert (house.row.outcome, house.row.attempts, house.row.sealed) == ("given_up", 1, b"")


def test_a_mail_that_cannot_be_rendered_holds_up_no_other(house: MailHouse) -> None:
    house.enqueue("password_changed")
    house.enqueue("account_deleted")

    def render(mail: OutgoingMail) -> EmailMessage:
        if mail.event == "password_changed":
            raise RuntimeError("a mistake in a template")
        return plain(mail)

    assert outbox.send_due(render, Transport(), limit=10) == 1
    assert [row.outcome for row in house.rows] == [None, "sent"]


@pytest.mark.asvs("16.2.5")
def test_the_log_names_the_mail_and_never_the_reader(house: MailHouse) -> None:
    house.enqueue("reset_password", to="mina@example.org", link="https://login.example.com/password/reset/secret")
    with structlog.testing.capture_logs() as lines:
        outbox.send_due(plain, Transport(RuntimeError("mina@example.org secret")), limit=10)
    assert lines[0]["mail"] == "reset_password"
    assert lines[0]["message_id"] == str(house.row.id)
    assert "mina" not in json.dumps(lines)
    assert "secret" not in json.dumps(lines)


def test_while_a_mail_is_under_way_no_transaction_is_open_and_nobody_else_takes_it(house: MailHouse) -> None:
    house.enqueue()
    seen: list[tuple[int, int]] = []

    class Watching(Transport):
        def send(self, message: EmailMessage) -> None:
            super().send(message)
            taken_by_another = outbox.send_due(plain, Transport(), limit=10)
            seen.append((house.runtime.engine.pool.checkedout(), taken_by_another))  # type: ignore[attr-defined]

    assert outbox.send_due(plain, Watching(), limit=10) == 1
    assert seen == [(0, 0)]


def test_a_claim_runs_out_when_its_sender_has_died(house: MailHouse, at: time_machine.Traveller) -> None:
    house.enqueue()

    class Killed(BaseException):
        pass

    with pytest.raises(Killed):
        outbox.send_due(plain, Transport(Killed()), limit=10)  # type: ignore[arg-type]
    assert outbox.send_due(plain, Transport(), limit=10) == 0
    at.shift(outbox.CLAIM)
    assert outbox.send_due(plain, Transport(), limit=10) == 1


def test_a_busy_database_does_not_make_a_mail_go_twice(house: MailHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house.enqueue()
    monkeypatch.setattr(outbox, "_SECONDS_TO_TRY_AGAIN", (0, 0))
    write, failures = outbox._write, [OperationalError("", {}, Exception("locked"))] * 2
    transport = Transport()

    def busy_once_sent(statement: object) -> int:
        if transport.sent and failures:
            raise failures.pop()
        return write(statement)  # type: ignore[arg-type]

    monkeypatch.setattr(outbox, "_write", busy_once_sent)
    outbox.send_due(plain, transport, limit=10)
    assert house.row.outcome == "sent"


def test_a_sender_told_to_stop_begins_no_other_mail(house: MailHouse) -> None:
    for _ in range(3):
        house.enqueue()
    transport = Transport()
    outbox.send_due(plain, transport, limit=10, stopping=lambda: len(transport.sent) == 1)
    assert [row.attempts for row in house.rows] == [1, 0, 0]


def test_finished_mails_are_forgotten_after_a_week_slice_by_slice(house: MailHouse, at: time_machine.Traveller) -> None:
    for _ in range(3):
        house.enqueue()
    outbox.send_due(plain, Transport(), limit=10)
    house.enqueue()  # waits, and is never too old to be kept
    at.shift(timedelta(days=7))
    assert outbox.purge(10) == 0
    at.shift(1)
    assert [outbox.purge(2), outbox.purge(2), outbox.purge(2)] == [2, 1, 0]
    assert house.row.finished_at is None


def test_operators_see_how_much_waits_and_for_how_long(
    house: MailHouse, at: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outbox_figures() == OutboxFigures(0, 0)
    house.enqueue()
    at.shift(90)
    house.enqueue()
    assert outbox_figures() == OutboxFigures(2, 90)
    assert outbox_figures().told == "2 waiting"
    monkeypatch.setattr(operating_figures, "MOST_COUNTED", 2)
    assert outbox_figures().told == "2 or more waiting"


def test_twenty_threads_of_two_processes_send_fifty_mails_once_each(house: MailHouse, server: MailServer) -> None:
    for number in range(50):
        house.enqueue(to=f"person-{number}@example.org")
    with worker_process(house, threads=10) as one, worker_process(house, threads=10) as other:
        begin(one)
        begin(other)
        assert [one.wait(60), other.wait(60)] == [0, 0]
    received = Counter(envelope.rcpt_tos[0] for envelope in server.envelopes)
    assert received == {f"person-{number}@example.org": 1 for number in range(50)}
    assert {row.outcome for row in house.rows} == {"sent"}
