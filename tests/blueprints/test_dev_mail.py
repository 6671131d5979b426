"""On a development machine the mails can be read in the browser; nowhere else is there such a page."""

from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from webapp.blueprints.dev import mailbox
from webapp.gateways.mail_transport import FileTransport


@pytest.fixture
def mails(tmp_path: Path) -> Path:
    return tmp_path / "mail"


@pytest.fixture
def client(new_app: Callable[..., Flask], mails: Path) -> FlaskClient:
    return new_app(APP_ENV="development", MAIL_URL=f"file:{mails}").test_client()


def write_mail(mails: Path, subject: str, at: str = "2026-11-23T09:00:00Z") -> str:
    message = EmailMessage()
    message["To"] = Address(addr_spec="mina@example.org")
    message["Subject"] = subject
    message["Message-ID"] = "<1@login.example.com>"
    message.set_content(f"{subject}\nhttp://127.0.0.1:8000/verify-email/token\n<b>not bold</b>\n")
    html = f"<!DOCTYPE html><html><head><title>x</title></head><body style='margin: 0'>{subject}</body></html>"
    message.add_alternative(html, subtype="html")
    with time_machine.travel(at, tick=False):
        FileTransport(mails).send(message)
    return max(mails.glob("*.eml")).stem


def test_the_list_shows_the_newest_mail_first(client: FlaskClient, mails: Path) -> None:
    write_mail(mails, "먼저 온 메일", at="2026-11-23T09:00:00Z")
    write_mail(mails, "The later one", at="2026-11-23T09:00:01Z")
    page = client.get("/dev/mail").text
    assert page.index("The later one") < page.index("먼저 온 메일")
    assert "mina@example.org" in page


def test_there_may_be_no_mail_yet(client: FlaskClient) -> None:
    assert client.get("/dev/mail").status_code == 200


def test_a_mail_shows_its_text_with_links_that_can_be_followed(client: FlaskClient, mails: Path) -> None:
    page = client.get(f"/dev/mail/{write_mail(mails, 'Confirm')}").text
    assert '<a href="http://127.0.0.1:8000/verify-email/token"' in page
    assert "&lt;b&gt;not bold&lt;/b&gt;" in page


def test_the_html_of_a_mail_is_framed_where_it_can_do_nothing(client: FlaskClient, mails: Path) -> None:
    mail_id = write_mail(mails, "Confirm")
    page, frame = client.get(f"/dev/mail/{mail_id}"), client.get(f"/dev/mail/{mail_id}/html")
    assert f'src="/dev/mail/{mail_id}/html"' in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    policy = frame.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; ")
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "frame-ancestors 'self'" in policy
    assert frame.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert '<base target="_blank">' in frame.text
    assert len(frame.headers.getlist("Content-Security-Policy")) == 1


def test_other_pages_may_frame_nothing(client: FlaskClient) -> None:
    assert "frame-src" not in client.get("/dev/mail").headers["Content-Security-Policy"]


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize(
    "mail_id",
    [
        "nothing",
        "..",
        "../app.db",
        "..%2fapp.db",
        "%2e%2e%2fapp.db",
        "..%252fapp.db",
        "20261123T090000.000000Z-..%2f..%2fsecret",
        "20261123T090000.000000Z-missing",
        "20261123T090000.000000Z-1%00",
        "20261123T090000.000000Z-" + "1" * 201,
    ],
)
def test_no_address_leads_out_of_the_mail_directory(client: FlaskClient, mails: Path, mail_id: str) -> None:
    (mails.parent / "secret.eml").write_text("Subject: secret\n\nsecret")
    for path in (f"/dev/mail/{mail_id}", f"/dev/mail/{mail_id}/html"):
        answer = client.get(path)
        assert answer.status_code in (400, 404)
        assert "Subject: secret" not in answer.text
    assert mailbox.find_mail(mails, "../secret") is None


@pytest.mark.parametrize("environment", ["testing", "production"])
def test_only_development_has_such_a_page(new_app: Callable[..., Flask], environment: str) -> None:
    client = new_app(APP_ENV=environment, PUBLIC_URL="https://login.example.com").test_client()
    assert client.get("/dev/mail", base_url="https://login.example.com").status_code == 404


def test_there_is_no_such_page_where_mails_go_out(new_app: Callable[..., Flask]) -> None:
    client = new_app(APP_ENV="development", MAIL_URL="smtp://127.0.0.1:25").test_client()
    assert client.get("/dev/mail").status_code == 404
