"""Every mail can be read: in its language, as text and as HTML, and a stranger's words stay words."""

import re
import uuid
from collections.abc import Iterator
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
import time_machine
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from flask_babel import get_locale

from tests.mail_house import MailHouse, mail_house
from webapp.gateways.mail_transport import MailRefused
from webapp.http.mail_rendering import render
from webapp.policy.security_events import EventKind
from webapp.services import outbox
from webapp.services.outbox import OutgoingMail
from webapp.settings import PROJECT_ROOT

TEMPLATES = PROJECT_ROOT / "webapp" / "templates" / "email"
ID = uuid.UUID("01995d8e-0000-7000-8000-000000000001")
ABOUT = {
    "device": "Chrome on Windows",
    "ip": "203.0.113.7",
    "at": "2026-11-23T09:00:00+00:00",
    "due_at": "2026-11-30T09:00:00+00:00",
    "expires_hours": "24",
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[MailHouse]:
    with mail_house("sqlite://", f"file:{tmp_path}", tmp_path, SITE_NAME="Doorway") as house:
        yield house


def rendered(
    house: MailHouse, event: str, *, to: str = "mina@example.org", locale: str = "en", **params: str
) -> EmailMessage:
    links = {name: f"https://login.example.com/{name}" for name in outbox.MAILS[event]}
    with house.app.app_context():
        return render(OutgoingMail(ID, event, to, locale, {**links, **ABOUT, **params}))


def text_of(message: EmailMessage) -> str:
    return content(message, "plain")


def html_of(message: EmailMessage) -> str:
    return content(message, "html")


def content(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_each_warning_of_a_provider_says_what_was_done_about_it(house: MailHouse) -> None:
    kinds = (EventKind.PROVIDER_BLOCKED, EventKind.PROVIDER_ENDED_SESSIONS, EventKind.PROVIDER_WARNED)
    texts = [text_of(rendered(house, "provider_alert", alert=kind, provider="Acme")) for kind in kinds]
    done = ("until Acme says that it is safe again", "we signed you out at Doorway, too", "Nothing was changed")
    for text, told in zip(texts, done, strict=True):
        assert [words in text for words in done] == [words == told for words in done]


FACTOR_CHANGES = {
    "totp_added": "An authenticator app was set up",
    "totp_removed": "The authenticator app was removed",
    "passkey_added": "A passkey was added",
    "passkey_removed": "A passkey was removed",
    "recovery_codes_made": "The old ones are void.",
    "recovery_code_used": "Codes that are left: 2.",
    "guessed": "Whoever did that knows your password",
    "reset": "We removed all second factors",
}


@pytest.mark.parametrize("change", FACTOR_CHANGES)
def test_each_change_to_the_factors_is_told_in_its_own_words(house: MailHouse, change: str) -> None:
    message = rendered(house, "factor_changed", change=change, left="2")
    for part in (text_of(message), html_of(message)):
        assert [told for told in FACTOR_CHANGES.values() if told in part] == [FACTOR_CHANGES[change]]
    assert not re.search(r"\n{3}|[ \t]\n|^\s", text_of(message).replace("\r\n", "\n"))


def test_there_is_a_template_for_every_mail_and_no_other() -> None:
    assert {folder.name for folder in TEMPLATES.iterdir() if folder.is_dir()} == set(outbox.MAILS)


@pytest.mark.parametrize("event", sorted(outbox.MAILS))
def test_every_mail_says_all_it_has_to_say_in_both_parts(house: MailHouse, event: str) -> None:
    message = rendered(house, event)
    assert message.get_content_type() == "multipart/alternative"
    assert "Doorway" in message["Subject"]
    for part in (text_of(message), html_of(message)):
        for name in outbox.MAILS[event] - {"due_at", "alert", "change"}:
            assert f"https://login.example.com/{name}" in part
        if "due_at" in outbox.MAILS[event]:
            assert "November 30, 2026, 09:00 UTC" in part
        if event != "account_deleted":
            for fact in ("November 23, 2026, 09:00 UTC", "Chrome on Windows", "203.0.113.7"):
                assert fact in part


@pytest.mark.parametrize("event", sorted(outbox.MAILS))
def test_html_mails_are_well_formed_and_load_nothing(house: MailHouse, event: str) -> None:
    open_tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            assert tag not in {"img", "script", "link", "iframe", "form"}
            assert not {name for name, _ in attributes} & {"src", "background", "srcset"}
            if tag not in {"meta", "br"}:
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    html = html_of(rendered(house, event))
    Reader().feed(html)
    assert open_tags == []
    assert "url(" not in html
    assert "{{" not in html
    assert html.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("event", sorted(outbox.MAILS))
def test_text_mails_are_tidy(house: MailHouse, event: str) -> None:
    text = text_of(rendered(house, event)).replace("\r\n", "\n")
    assert not re.search(r"\n{3}|[ \t]\n|^\s|<[a-z]+|&[a-z]+;", text)


def test_the_first_link_of_a_mail_is_what_it_is_about(house: MailHouse) -> None:
    for event, link in (("confirm_email", "link"), ("address_taken", "sign_in_link"), ("reset_password", "link")):
        found = re.search(r"https?://\S+", text_of(rendered(house, event)))
        assert found is not None
        assert found.group() == f"https://login.example.com/{link}"


def test_the_headers_say_who_writes_to_whom_and_that_a_machine_does(house: MailHouse) -> None:
    with time_machine.travel("2026-11-23T09:00:00Z", tick=False):
        message = rendered(house, "password_changed")
    assert message["From"] == "Doorway <no-reply@login.example.com>"
    assert message["To"] == "mina@example.org"
    assert message["Date"] == "Mon, 23 Nov 2026 09:00:00 +0000"
    assert message["Message-ID"] == f"<{ID}@login.example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en"


def test_a_second_attempt_carries_the_same_message_id(house: MailHouse) -> None:
    first, second = rendered(house, "password_changed"), rendered(house, "password_changed")
    assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("post@login.example.com", "post@login.example.com"),
        ("Kim, Lee and Co <post@login.example.com>", '"Kim, Lee and Co" <post@login.example.com>'),
        ("문간 <post@login.example.com>", "문간 <post@login.example.com>"),
    ],
)
def test_the_sender_is_one_address_whatever_its_name(tmp_path: Path, sender: str, expected: str) -> None:
    with mail_house("sqlite://", f"file:{tmp_path}", tmp_path, MAIL_FROM=sender) as house:
        message = rendered(house, "password_changed")
    assert message["From"] == expected
    assert len(message["From"].addresses) == 1


@pytest.mark.asvs("1.3.11")
def test_what_is_no_address_gets_no_mail(house: MailHouse) -> None:
    with pytest.raises(MailRefused):
        rendered(house, "password_changed", to="mina@example.org\r\nBcc: eve@example.net")


@pytest.mark.asvs("1.2.1")
def test_a_strangers_words_are_text_in_both_parts(house: MailHouse) -> None:
    message = rendered(house, "new_device", device="<script>alert(1)</script> & co\r\nBcc: eve@example.net")
    assert "<script>" not in html_of(message)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co" in html_of(message)
    assert "<script>alert(1)</script> & co" in text_of(message)
    assert message["Bcc"] is None


def test_a_name_that_a_stranger_typed_is_not_delivered_to_an_address_nobody_confirmed(house: MailHouse) -> None:
    message = rendered(house, "confirm_email", name="You won! http://evil.example")
    assert "evil" not in message.as_string() + text_of(message) + html_of(message)


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("login-alert.evil.example/1", "Unknown device"),
        ("Mozilla/5.0 (compatible; Your account is hacked Call 0800 123456 Bot/1.0)", "Unknown device"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 (KHTML, like Gecko) Chrome/141.0.0.0", "Chrome on Windows"),
    ],
)
def test_a_device_whose_name_a_stranger_made_up_is_not_named(house: MailHouse, user_agent: str, device: str) -> None:
    params = {**dict.fromkeys(("ip", "at"), ""), "user_agent": user_agent}
    with house.app.app_context():
        mail = OutgoingMail(ID, "password_changed", "mina@example.org", "en", {"forgot_link": "/", **params})
        assert f"Device: {device}\n" in text_of(render(mail))


@pytest.mark.parametrize(
    ("lifetime", "words"),
    [
        ({"expires_minutes": "1"}, "for 1 minute."),
        ({"expires_minutes": "30"}, "for 30 minutes."),
        ({"expires_hours": "24"}, "for 24 hours."),
        ({"expires_days": "7"}, "for 7 days."),
    ],
)
def test_a_mail_says_how_long_its_link_works(house: MailHouse, lifetime: dict[str, str], words: str) -> None:
    params = {"expires_minutes": "", "expires_hours": "", "expires_days": "", **lifetime}
    assert words in text_of(rendered(house, "reset_password", **params))


def test_a_mail_that_names_no_device_and_no_end_leaves_them_out(house: MailHouse) -> None:
    params = dict.fromkeys(("device", "ip", "at", "expires_hours"), "")
    text = text_of(rendered(house, "reset_password", **params))
    assert "Device" not in text
    assert "works once" not in text


def test_a_mail_is_written_in_its_readers_language_without_any_request(house: MailHouse, tmp_path: Path) -> None:
    catalogue = Catalog(locale="ko")
    catalogue.add("Your password was changed", "비밀번호가 변경되었습니다")
    file = tmp_path / "ko" / "LC_MESSAGES" / "messages.mo"
    file.parent.mkdir(parents=True)
    with file.open("wb") as stream:
        write_mo(stream, catalogue)
    house.app.extensions["babel"].translation_directories[:] = [str(tmp_path)]
    korean, english = rendered(house, "password_changed", locale="ko"), rendered(house, "password_changed")
    for part in (text_of(korean), html_of(korean)):
        assert "비밀번호가 변경되었습니다" in part
        assert "2026년 11월 23일 09:00 UTC" in part
    assert '<html lang="ko">' in html_of(korean)
    assert korean["Content-Language"] == "ko"
    assert "Your password was changed" in text_of(english)


def test_rendering_leaves_no_language_behind(house: MailHouse) -> None:
    with house.app.app_context():
        before = get_locale()
        render(OutgoingMail(ID, "account_deleted", "mina@example.org", "ko", {}))
        assert get_locale() == before


def test_a_language_nobody_knows_is_english(house: MailHouse) -> None:
    assert rendered(house, "account_deleted", locale="xx_??")["Content-Language"] == "en"
