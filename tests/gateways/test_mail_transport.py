"""Mails leave by SMTP or as files, to one checked address, and a failure says whether trying again makes sense."""

import re
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pytest
import time_machine

from tests.mail_server import PASSWORD, USER, MailServer, running_mail_server, self_signed
from webapp.gateways.mail_transport import (
    FileTransport,
    MailFailed,
    MailRefused,
    MailTemporarilyFailed,
    SmtpTransport,
    mail_address,
    transport_for,
)
from webapp.settings import Settings, SettingsError


def message_to(address: str = "mina@example.org", subject: str = "안녕하세요") -> EmailMessage:
    message = EmailMessage(policy=policy.SMTP.clone(cte_type="7bit"))
    message["From"] = Address("Doorway", addr_spec="no-reply@login.example.com")
    message["To"] = mail_address(address)
    message["Subject"] = subject
    message["Message-ID"] = "<0199-1@login.example.com>"
    message.set_content("민아 님, 안녕하세요.\n")
    return message


def settings(mail_url: str, tmp_path: Path) -> Settings:
    return Settings.checked(MAIL_URL=mail_url, SECRET_KEY="k" * 32, INSTANCE_PATH=tmp_path)


def smtp(server: MailServer) -> SmtpTransport:
    return SmtpTransport("127.0.0.1", server.port)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with running_mail_server() as server:
        yield server


def test_a_message_arrives_whole_at_its_one_recipient(server: MailServer) -> None:
    smtp(server).send(message_to())
    assert server.envelopes[0].mail_from == "no-reply@login.example.com"
    assert server.envelopes[0].rcpt_tos == ["mina@example.org"]
    assert server.messages[0]["Subject"] == "안녕하세요"
    assert server.messages[0].get_content().strip() == "민아 님, 안녕하세요."


def test_only_ascii_travels(server: MailServer) -> None:
    smtp(server).send(message_to())
    assert server.envelopes[0].original_content.isascii()


def test_a_domain_in_korean_travels_as_dns_knows_it(server: MailServer) -> None:
    smtp(server).send(message_to("mina@도메인.example"))
    assert server.envelopes[0].rcpt_tos == ["mina@xn--hq1bm8jm9l.example"]


def test_a_local_part_in_korean_travels_by_smtputf8(server: MailServer) -> None:
    smtp(server).send(message_to("민아@example.org"))
    assert server.envelopes[0].rcpt_tos == ["민아@example.org"]


@pytest.mark.parametrize("code", [550, 551, 553, 554])
def test_a_recipient_refused_for_good_is_refused(server: MailServer, code: int) -> None:
    server.rcpt_answer = f"{code} no such mailbox mina@example.org"
    with pytest.raises(MailRefused) as refusal:
        smtp(server).send(message_to())
    assert refusal.value.reason == str(code)


@pytest.mark.parametrize("code", [450, 451, 452, 530, 535])
def test_a_recipient_refused_for_now_may_be_tried_again(server: MailServer, code: int) -> None:
    server.rcpt_answer = f"{code} later"
    with pytest.raises(MailTemporarilyFailed, match=str(code)):
        smtp(server).send(message_to())


def test_a_message_refused_for_good_is_refused(server: MailServer) -> None:
    server.data_answer = "554 looks like spam"
    with pytest.raises(MailRefused, match="554"):
        smtp(server).send(message_to())


def test_a_connection_that_breaks_off_may_be_tried_again(server: MailServer) -> None:
    server.drops = True
    with pytest.raises(MailTemporarilyFailed):
        smtp(server).send(message_to())
    assert server.envelopes == []


def test_a_server_that_does_not_answer_is_given_up_soon(server: MailServer) -> None:
    server.holds.set()
    with pytest.raises(MailTemporarilyFailed, match=r"SMTPServerDisconnected|TimeoutError"):
        replace(smtp(server), timeout=0.2).send(message_to())


def test_a_server_that_is_not_there_may_be_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(MailTemporarilyFailed, match="ConnectionRefusedError"):
        SmtpTransport("127.0.0.1", port).send(message_to())


def test_what_a_failure_says_holds_no_address(server: MailServer) -> None:
    server.rcpt_answer = "550 no such mailbox mina@example.org"
    with pytest.raises(MailFailed) as failure:
        smtp(server).send(message_to())
    assert "mina" not in f"{failure.value!r} {failure.value.__cause__!r}"


@pytest.mark.asvs("12.3.2")
@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_over_tls_the_password_is_sent_to_the_right_server_only(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = self_signed(tmp_path)
    tls = {"implicit_tls": context} if scheme == "smtps" else {"starttls": context}
    with running_mail_server(**tls) as server:
        where = f"{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}"
        url = f"smtps://{where}" if scheme == "smtps" else f"smtp://{where}?starttls=1"
        transport = transport_for(settings(url, tmp_path))
        with pytest.raises(MailTemporarilyFailed, match="SSLCertVerificationError"):
            transport.send(message_to())
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        transport.send(message_to())
        assert len(server.envelopes) == 1


def test_where_starttls_is_asked_for_nothing_goes_in_the_clear(server: MailServer, tmp_path: Path) -> None:
    with pytest.raises(MailTemporarilyFailed, match="SMTPNotSupportedError"):
        transport_for(settings(f"{server.url}?starttls=1", tmp_path)).send(message_to())
    assert server.envelopes == []


def test_a_password_that_the_server_does_not_take_may_be_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with running_mail_server(implicit_tls=context) as server:
        url = f"smtps://{USER}:wrong@127.0.0.1:{server.port}"
        with pytest.raises(MailTemporarilyFailed, match="SMTPAuthenticationError"):
            transport_for(settings(url, tmp_path)).send(message_to())


@pytest.mark.parametrize(
    ("url", "port", "implicit_tls", "starttls"),
    [
        ("smtp://mail.example.com", 25, False, False),
        ("smtp://mail.example.com?starttls=1", 587, False, True),
        ("smtps://mail.example.com", 465, True, False),
        ("smtp://mail.example.com:2525", 2525, False, False),
    ],
)
def test_a_mail_url_says_how_to_connect(
    url: str, port: int, implicit_tls: bool, starttls: bool, tmp_path: Path
) -> None:
    transport = transport_for(settings(url, tmp_path))
    expected = SmtpTransport("mail.example.com", port, implicit_tls, starttls, greeting="127.0.0.1")
    assert transport == expected


@pytest.mark.parametrize(
    "url",
    [
        "smtp://",
        "smtp://mail.example.com:port",
        "smtp://mail.example.com?startls=1",
        "smtps://mail.example.com?starttls=1",
        "smtp://mail.example.com/path",
        "smtp://user:secret@mail.example.com",
    ],
)
def test_a_mail_url_that_makes_no_sense_or_shows_the_password_stops_the_start(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refusal:
        transport_for(settings(url, tmp_path))
    assert "secret" not in str(refusal.value)


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(SmtpTransport("mail.example.com", 465, user="post", password="secret"))


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize(
    "address",
    [
        "",
        "mina",
        "mina@",
        "@example.org",
        "mina@example.org, eve@example.net",
        "mina@example.org;eve@example.net",
        "mina@example.org\r\nBcc: eve@example.net",
        "mina@example.org\nBcc: eve@example.net",
        "mina@example.org\x00",
        "Mina <mina@example.org>",
        "mina@eve@example.org",
        '"mina smith"@example.org',
        "mi na@example.org",
        "mina@" + "a" * 64 + ".example",
        "mina@example..org",
    ],
)
def test_what_is_not_exactly_one_address_gets_no_mail(address: str) -> None:
    with pytest.raises(MailRefused):
        mail_address(address)


@pytest.mark.parametrize(
    ("domain", "in_dns"),
    [("straße.de", "xn--strae-oqa.de"), ("παράδειγμας.gr", "xn--hxajbheg2az3als.gr"), ("한국.kr", "xn--3e0b707e.kr")],
)
def test_a_mail_goes_to_the_domain_that_was_written_not_to_one_that_looks_alike(domain: str, in_dns: str) -> None:
    assert mail_address(f"mina@{domain}").domain == in_dns


@pytest.mark.asvs("1.3.11")
def test_a_message_for_two_is_not_sent(server: MailServer) -> None:
    message = message_to()
    message.replace_header("To", "mina@example.org, eve@example.net")
    with pytest.raises(MailRefused):
        smtp(server).send(message)
    with pytest.raises(ValueError, match="linefeed"):
        message.replace_header("Subject", "hello\r\nBcc: eve@example.net")


def test_a_file_holds_the_whole_message_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    directory = tmp_path / "instance" / "mail"
    transport_for(settings(f"file:{directory}", tmp_path)).send(message_to())
    (file,) = directory.iterdir()
    assert message_from_bytes(file.read_bytes(), policy=policy.default).get_content().strip() == "민아 님, 안녕하세요."
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_files_sort_by_time_and_name_their_message(tmp_path: Path) -> None:
    transport = FileTransport(tmp_path)
    with time_machine.travel(datetime(2026, 11, 23, 9, 0, tzinfo=UTC), tick=False) as at:
        transport.send(message_to(subject="first"))
        at.shift(0.001)
        transport.send(message_to(subject="second"))
    first, second = sorted(file.name for file in tmp_path.iterdir())
    assert first == "20261123T090000.000000Z-0199-1_login.example.com.eml"
    assert second.startswith("20261123T090000.001000Z-")


@pytest.mark.asvs("5.3.2")
def test_no_message_id_leads_out_of_the_directory(tmp_path: Path) -> None:
    message = message_to()
    message.replace_header("Message-ID", "<../../../etc/cron.d/x@login.example.com>")
    FileTransport(tmp_path / "mail").send(message)
    (file,) = (tmp_path / "mail").iterdir()
    assert re.fullmatch(r"[0-9TZ.]+-[A-Za-z0-9._-]+\.eml", file.name)


def test_a_directory_that_cannot_be_written_may_be_mended(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file where the directory should be")
    with pytest.raises(MailTemporarilyFailed, match=r"Exists|NotADirectory"):
        FileTransport(tmp_path / "mail").send(message_to())


def test_a_check_goes_as_far_as_one_can_without_a_message(server: MailServer, tmp_path: Path) -> None:
    smtp(server).check()
    FileTransport(tmp_path / "mail").check()
    assert server.envelopes == []
    assert list((tmp_path / "mail").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(MailTemporarilyFailed):
        FileTransport(tmp_path / "file").check()
    with pytest.raises(MailTemporarilyFailed):
        SmtpTransport("127.0.0.1", 1).check()
