"""Everything is said in Korean too: the catalogue is whole and well written, and no page or mail falls back."""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain

import pytest
from babel.messages.catalog import Message
from flask import Flask, template_rendered
from flask_babel import force_locale

from scripts import translations
from stand_in.people import ELSEWHERE, KOREAN, UNVERIFIED, Person
from tests.conftest import NewApp
from tests.factors import CODES, TOTP, VERIFY, Phone, secret_on, soft_key, verify
from tests.people import CHROME, NEW_PASSWORD, PASSWORD, Browser, Mailbox, text_of
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back, google_settings, leave
from tests.reading import language_of, not_korean, pieces_of
from tests.rows import Rows
from tests.stores import Stores
from webapp.blueprints.account.wording import event_sentence
from webapp.http.devices import local_device_name
from webapp.http.error_pages import refusal
from webapp.http.mail_rendering import render
from webapp.http.words import END_REASONS, WARNINGS
from webapp.policy.login_sessions import EndReason
from webapp.policy.security_events import EventKind
from webapp.services import outbox
from webapp.services.outbox import OutgoingMail
from webapp.settings import PROJECT_ROOT

TEMPLATES = PROJECT_ROOT / "webapp" / "templates"
ERRORS = sorted(int(file.stem) for file in (TEMPLATES / "errors").glob("[45]??.html"))
MINA, NEW_ADDRESS, GUARDED = "mina@example.kr", "new.mina@example.kr", "guarded@example.kr"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Mobile/15E148 Safari/604.1"
)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")
# Which of the two it is depends on the sound before it, and a placeholder may end in any.
PARTICLE_AFTER_PLACEHOLDER = re.compile(r"%\(\w+\)[sd](은|는|이|가|을|를|와|과|로|으로|이나|나|라|이라)(?=[\s.,]|$)")
ROUGH = re.compile(r"당신|십시오|[가-힣]\([가-힣]{1,2}\)| {2}|\.\.\.|(?<!니다|세요)\.(?=\s|$)")


@pytest.fixture
def stores(sqlite: Stores) -> Stores:
    """Words are the same on every store."""
    return sqlite


def korean() -> Iterator[tuple[Message, list[str]]]:
    """Every text with its Korean."""
    for message in translations.read("ko"):
        if message.id:
            yield message, [message.string] if isinstance(message.string, str) else list(message.string)


def test_every_text_is_translated_and_compiled() -> None:
    assert translations.problems(translations.texts_in_the_code(), "ko") == []


def test_every_translation_fills_in_the_same_places() -> None:
    for message, strings in korean():
        wanted = set(PLACEHOLDER.findall(message.id if isinstance(message.id, str) else message.id[-1]))
        for string in strings:
            assert set(PLACEHOLDER.findall(string)) == wanted, string


def test_korean_is_right_whatever_is_filled_in() -> None:
    assert [string for _, strings in korean() for string in strings if PARTICLE_AFTER_PLACEHOLDER.search(string)] == []


def test_korean_is_polite_in_one_style() -> None:
    assert [string for _, strings in korean() for string in strings if ROUGH.search(string)] == []


def test_a_mail_names_a_button_as_its_page_does() -> None:
    for message, (string, *_) in korean():
        for english, quoted in zip(re.findall("“(.+?)”", str(message.id)), re.findall("“(.+?)”", string), strict=True):
            button = translations.read("ko").get(english)
            assert button is not None, english
            assert quoted == button.string


def test_a_check_finds_english_that_is_left() -> None:
    page = '<title>로그인</title><p>Please wait</p><a title="Close">닫기</a><p>Chrome, mina@example.kr, JSON</p>'
    assert not_korean(pieces_of(page)) == ["Please wait", "Close"]


def test_every_page_is_korean_in_every_state(new_app: NewApp, provider: LyingProvider) -> None:
    settings = {"APP_ENV": "development", "MAILED_SIGN_IN": True, **google_settings(provider)}
    app, rendered = new_app(**settings), set()

    def note(_app: Flask, template: object, **_: object) -> None:
        rendered.add(getattr(template, "name", ""))

    with template_rendered.connected_to(note, app):
        for name, page in chain(walk(app), with_google(app, provider), with_factors(app)):
            assert language_of(page) == "ko", name
            assert not_korean(pieces_of(page)) == [], name
    pages = {
        file.relative_to(TEMPLATES).as_posix()
        for folder in ("account", "auth", "dev", "federation", "home")
        for file in (TEMPLATES / folder).glob("*.html")
    }
    pages -= {"federation/on_the_way.html"}  # only where a provider's pages are on two hosts
    assert pages <= rendered, f"not seen: {pages - rendered}"


@pytest.mark.parametrize("status", ERRORS)
@pytest.mark.parametrize("wait", [None, timedelta(seconds=30), timedelta(minutes=5)])
def test_every_error_page_is_korean(app: Flask, status: int, wait: timedelta | None) -> None:
    with app.test_request_context("/", headers={"Accept-Language": "ko"}):
        page = refusal(status, retry_after=wait).get_data(as_text=True)
    assert f">{status}<" in page
    assert language_of(page) == "ko"
    assert not_korean(pieces_of(page)) == []


@pytest.mark.parametrize("event", sorted(outbox.MAILS))
def test_every_mail_is_korean(app: Flask, event: str) -> None:
    params = {name: f"https://login.example.com/{name}" for name in outbox.MAILS[event]} | {
        "user_agent": CHROME,
        "ip": "203.0.113.7",
        "at": "2026-11-23T09:00:00+00:00",
        "due_at": "2026-11-30T09:00:00+00:00",
        "expires_hours": "24",
        "failures": "5",
        "new_email": NEW_ADDRESS,
        "forgot_link": "https://login.example.com/forgot",
    }
    with app.app_context():
        mail = render(OutgoingMail(uuid.UUID(int=1), event, MINA, "ko", params))
    html_part = mail.get_body(("html",))
    assert html_part is not None
    html = str(html_part.get_content())
    assert language_of(html) == mail["Content-Language"] == "ko"
    assert not_korean([mail["Subject"], *text_of(mail).splitlines(), *pieces_of(html)]) == []
    if event != "account_deleted":
        for fact in ("Windows의 Chrome", "203.0.113.7", "2026년 11월 23일 09:00 UTC"):
            assert fact in text_of(mail)
            assert fact in html


def test_a_device_is_named_in_korean(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "ko"}):
        assert local_device_name(CHROME) == "Windows의 Chrome"
        assert local_device_name("") == "알 수 없는 기기"


def test_everything_that_happens_to_an_account_has_a_sentence(app: Flask) -> None:
    with app.test_request_context(), force_locale("ko"):
        unknown = event_sentence("no such kind", {})
        sentences = [event_sentence(kind, {"count": 2, "provider": "Google"}) for kind in EventKind]
    assert unknown not in sentences
    assert not_korean(sentences) == []


def test_every_end_of_a_sign_in_but_ones_own_is_explained(app: Flask) -> None:
    warned_of = {EventKind.PROVIDER_WARNED}  # ends nothing
    assert set(END_REASONS) | set(WARNINGS) - warned_of == set(EndReason) - {EndReason.SIGNED_OUT}
    with app.test_request_context(), force_locale("ko"):
        assert not_korean(str(sentence) for sentence in (*END_REASONS.values(), *WARNINGS.values())) == []


def walk(app: Flask) -> Iterator[tuple[str, str]]:
    """Somebody's life at the site, page by page: what was done and the page that came."""
    here, there, mailbox = Browser(app, language="ko"), Browser(app, language="ko", user_agent=IPHONE), Mailbox(app)
    yield from _outside(here)
    yield "register", here.submit("/register", email=MINA, password=PASSWORD, name="미나").text
    link = mailbox.link(MINA, "/verify-email/")
    yield "verify", here.get(link).text
    yield "welcome", _then(here, link)
    yield "the link once more", here.get(link).text
    yield "signed in there", _then(there, "/login", email=MINA, password=PASSWORD, remember="y")
    yield from _account(here)
    yield "all others out", _then(here, "/account/sessions", "/account/sessions/revoke-others")
    yield "why there is over", _follow(there, "/account")
    yield from _another_address(here, mailbox)
    yield "a blocked password", here.submit("/login", email=MINA, password=PASSWORD).text
    link = mailbox.link(MINA, "/password/reset/")
    yield "reset", here.get(link).text
    yield "reset refused", here.submit(link, password="qwertyuiopasdfghjkl").text
    yield "reset done", _then(here, link, password=NEW_PASSWORD)
    here.sign_in(MINA, NEW_PASSWORD)
    yield "to be deleted", _then(here, "/account/data", "/account/data/delete")
    yield "keep?", _then(here, "/login", email=MINA, password=NEW_PASSWORD)
    yield "kept", _then(here, "/login/keep")
    yield "not me", here.submit("/account/activity", "/account/activity/not-me").text
    yield "mails", here.get("/dev/mail").text
    newest = re.search(r'href="(/dev/mail/[^"]+)"', here.get("/dev/mail").text)
    assert newest is not None
    yield "a mail", here.get(newest[1]).text


def with_google(app: Flask, provider: LyingProvider) -> Iterator[tuple[str, str]]:
    """Somebody who has no password, and what may go wrong between here and Google."""
    browser = Browser(app, language="ko")
    for name, person in (("denied", None), ("not confirmed", UNVERIFIED), ("an account is there", known(app))):
        answer = come_back(browser, provider.approve(leave(browser), person))
        yield name, answer.text if answer.status_code != 303 else _follow(browser, answer.location)
    browser.sign_in(ELSEWHERE.email)
    yield "connect the two", browser.get("/login/google/connect").text
    browser.sign_out()
    yield "nobody was sent", browser.get("/login/google/callback?state=x").text
    answer = come_back(browser, provider.approve(leave(browser), KOREAN))
    yield "welcome", _follow(browser, answer.location)
    for page in ("/account", "/account/connections", "/account/password", "/account/activity", "/reauthenticate"):
        yield page, browser.get(page).text
    yield "the last way in", browser.submit("/account/connections", "/account/connections/google/unlink").text
    yield "a password", _then(browser, "/account/password", new_password=PASSWORD)
    yield "disconnected", _then(browser, "/account/connections", "/account/connections/google/unlink")


def with_factors(app: Flask) -> Iterator[tuple[str, str]]:
    """Somebody sets second factors up, signs in with them, and by mail."""
    browser, security = Browser(app, language="ko"), "/account/security"
    browser.submit("/register", email=GUARDED, password=PASSWORD, name="미나")
    browser.submit(Mailbox(app).link(GUARDED, "/verify-email/"))
    for page in ("", "/set-up", "/totp", "/passkeys"):
        yield page, browser.get(f"{security}{page}").text
    for code in ("", "000000"):
        yield "a wrong code", browser.submit(TOTP, code=code).text
    phone = Phone(secret_on(browser.get(TOTP).text), Rows(app))
    yield "an app", _then(browser, TOTP, code=phone.code())
    yield "no codes yet", browser.get(security).text
    yield "codes", browser.submit(CODES).text
    soft_key(app).belongs_to(Rows(app), GUARDED)
    for page in ("", "/passkeys", "/recovery-codes"):
        yield f"with all of it {page}", browser.get(f"{security}{page}").text
    yield "again", browser.get("/reauthenticate").text
    yield "again, the second step", _then(browser, "/reauthenticate", password=PASSWORD)
    yield "again, by a code that was kept", browser.get("/reauthenticate/verify?method=recovery").text
    yield "again, wrong", browser.submit("/reauthenticate/verify", code="000000", method="totp").text
    browser.sign_out()
    yield "the second step", _then(browser, "/login", email=GUARDED, password=PASSWORD)
    yield "by a code that was kept", browser.get(f"{VERIFY}?method=recovery").text
    yield "refused", browser.submit(VERIFY, code="000000", method="totp").text
    yield "refused passkey", browser.submit(VERIFY, VERIFY, credential="{}", method="passkey").text
    verify(browser, phone.fresh_code(), trust="y")
    yield "trusted", browser.get(security).text
    yield "activity", browser.get("/account/activity").text
    yield "sessions", browser.get("/account/sessions").text
    yield "the app removed", _then(browser, security, f"{security}/totp/remove")
    browser.sign_out()
    yield "by mail", browser.get("/login/mail").text
    yield "mailed", browser.submit("/login/mail", email=GUARDED).text
    yield "wrong code of the mail", browser.submit("/login/mail/code", "/login/mail/code", code="00000000").text
    link = Mailbox(app).link(GUARDED, "/login/mailed/")
    yield "the link", browser.get(link).text
    yield "the link elsewhere", Browser(app, language="ko").get(link).text
    yield "by a passkey alone", _then(browser, link)


def known(app: Flask) -> Person:
    """Somebody whose address has an account already."""
    browser = Browser(app, language="ko")
    browser.submit("/register", email=ELSEWHERE.email, password=PASSWORD, name="미나")
    browser.submit(Mailbox(app).link(ELSEWHERE.email, "/verify-email/"))
    return ELSEWHERE


def _outside(browser: Browser) -> Iterator[tuple[str, str]]:
    for page in ("/", "/login", "/register", "/password/forgot", "/verify-email/x", "/demo/spa"):
        yield page, browser.get(page).text
    for page in ("/login", "/register", "/password/forgot"):
        yield f"{page} empty", browser.submit(page).text
    yield "refused", browser.submit("/register", email="nobody", password="too short", name="미" * 101).text
    yield "forgot", browser.submit("/password/forgot", email=MINA).text
    yield "form left open", browser.post("/login", {"email": MINA}).text


def _account(browser: Browser) -> Iterator[tuple[str, str]]:
    for page in ("", "/password", "/email", "/sessions", "/activity", "/data"):
        yield page, browser.get(f"/account{page}").text
    yield "again", browser.get("/reauthenticate").text
    yield "again, wrong", browser.submit("/reauthenticate", password="wrong").text
    yield "profile saved", _then(browser, "/account", name="미나", locale="ko")
    yield "password refused", browser.submit("/account/password", current_password="wrong", new_password="x").text
    yield "same password", browser.submit("/account/password", current_password=PASSWORD, new_password=PASSWORD).text
    yield "address refused", browser.submit("/account/email", email="nobody").text


def _another_address(browser: Browser, mailbox: Mailbox) -> Iterator[tuple[str, str]]:
    for step in ("asked", "asked again"):
        yield step, _then(browser, "/account/email", email=NEW_ADDRESS)
        if step == "asked":
            yield "cancelled", _then(browser, "/account/email", "/account/email/cancel")
    link = mailbox.link(NEW_ADDRESS, "/email/confirm/")
    yield "confirm", browser.get(link).text
    yield "confirmed", _then(browser, link)
    link = mailbox.link(MINA, "/email/undo/")
    yield "undo", browser.get(link).text
    yield "undone", browser.submit(link).text


def _then(browser: Browser, page: str, action: str = "", **fields: str) -> str:
    """Send a form, and go where it leads."""
    answer = browser.submit(page, action, **fields)
    assert answer.status_code == 303, f"{page} {answer.status}"
    return _follow(browser, answer.location)


def _follow(browser: Browser, path: str) -> str:
    """A page, and where it leads for as long as it leads somewhere."""
    answer = browser.get(path)
    return _follow(browser, answer.location) if answer.location else answer.text
