"""What nobody sends by accident, into every field of every form: refused with a page, and nothing was changed.

The routes, their forms and the fields of these are found by walking the site, so a new one is attacked from the start.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import urlencode

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import NewBrowser
from tests.journeys.pages import csrf_token
from tests.people import PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.rows import Rows, on_sqlite
from tests.whole_site import ALICE, TOKEN, Form, House, Page
from webapp.models import OutboxMessage, User

Attack = Callable[[Form], TestResponse]
UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # of a row, where a page has a field for each

NO_TEXT = {
    "NUL": b"%00",
    "NUL within": b"a%00b",
    "a raw NUL": b"\x00",
    "no UTF-8": b"%ff%fe",
    "raw bytes": b"\xff\xfe",
    "an overlong NUL": b"%c0%80",
    "half a pair": b"%ed%a0%80",
    "the other half": b"a%ed%b0%80",
    "half a character": b"%f0%9f%98",
    "an escape sequence": b"%1b[2J",
    "a control of Latin-1": b"%c2%85",
}


def multipart(form: Form, part: bytes) -> TestResponse:
    fields = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in form.honest().items()]
    body = b"".join(b"--x\r\nContent-Disposition: form-data; " + one + b"\r\n" for one in [*fields, part])
    return form.browser.post(form.path, body + b"--x--\r\n", content_type="multipart/form-data; boundary=x")


def twice(form: Form) -> TestResponse:
    sent = [*form.honest().items(), (TOKEN, form.fields[TOKEN].value)]
    return form.browser.post(form.path, urlencode(sent), content_type="application/x-www-form-urlencoded")


def ten_megabytes(form: Form) -> TestResponse:
    return form.browser.post(form.path, {**form.honest(), "padding": "a" * 10_000_000})


def as_json(form: Form) -> TestResponse:
    return form.browser.post(form.path, json.dumps(form.honest()), content_type="application/json")


WHOLE_FORMS: dict[str, tuple[Attack, int]] = {
    "10 MB": (ten_megabytes, 413),
    "very many fields": (lambda form: form.send(**{f"f{number}": "1" for number in range(200)}), 413),
    "JSON": (as_json, 415),
    "no type": (lambda form: form.browser.post(form.path, b"a=b", content_type=""), 415),
    "a field twice": (twice, 400),
    "a file": (lambda form: multipart(form, b'name="upload"; filename="a.txt"\r\n\r\nhello'), 400),
    "a file in place of text": (
        lambda form: multipart(form, b'name="' + TOKEN.encode() + b'"; filename="a"\r\n\r\nx'),
        400,
    ),
    "NUL in parts": (lambda form: multipart(form, b'name="a"\r\n\r\na\x00b'), 400),
    "a bad name": (lambda form: form.send_raw("na%00me", b"1"), 400),
    "a bad query": (lambda form: form.browser.post(form.path + "?next=%00", form.honest()), 400),
    "a wild query": (lambda form: form.browser.post(form.path + "?a=%ed%a0%80", form.honest()), 400),
    "a header that is no text": (
        lambda form: form.browser.post(form.path, form.honest(), environ_overrides={"HTTP_X_ANY": "a\xffb"}),
        400,
    ),
    "a body that breaks off": (
        lambda form: form.browser.post(form.path, form.honest(), environ_overrides={"CONTENT_LENGTH": "4000"}),
        400,
    ),
}


def attacks(form: Form) -> Iterator[tuple[str, Attack, int]]:
    """Every attack on a form: its name, how it is done, the status it deserves."""
    for name, (attack, status) in WHOLE_FORMS.items():
        yield name, attack, status
    for field in form.fields:
        for name, value in NO_TEXT.items():
            yield f"{field}: {name}", partial(Form.send_raw, name=field, value=value), 400


def is_a_clear_refusal(answer: TestResponse, status: int) -> bool:
    """A page of ours that says no."""
    is_page = answer.mimetype == "text/html" and "<h1" in answer.text and "css/site.css" in answer.text
    return answer.status_code == status and is_page and "Traceback" not in answer.text


@pytest.mark.asvs("1.3.3", "15.3.5", "15.2.2", "15.3.7", "2.2.2")
def test_what_is_no_form_is_refused_everywhere_and_changes_nothing(house: House) -> None:
    before, surprises, tried = house.everything_stored(), [], 0
    for form in house.forms.values():
        for name, attack, status in attacks(form):
            tried += 1
            answer = attack(form)
            if not is_a_clear_refusal(answer, status):
                surprises.append(f"{form.endpoint}, {name}: {answer.status}")
        if house.everything_stored() != before:
            pytest.fail(f"{form.endpoint}: something was changed")
    assert surprises == []
    assert tried > 500


@on_sqlite
@pytest.mark.asvs("2.2.1", "2.2.2", "1.3.3", "15.3.3")
def test_each_field_is_judged_by_the_server_alone(house: House) -> None:
    """Missing, empty, blank, too long or none of what is offered: told at the field, whatever the page had checked."""
    before, surprises = stored(house), []
    for form in house.forms.values():
        for field in judged(form):
            for name, sent in bad_values(form, field):
                answer = form.browser.post(form.path, sent)
                if answer.status_code != 422 or not re.search(rf'id="{field}(-{UUID})?-error"', answer.text):
                    surprises.append(f"{form.endpoint}, {field} {name}: {answer.status}")
    assert surprises == []
    assert stored(house) == before


def stored(house: House) -> dict[str, list[str]]:
    """Everything but the counters: whatever is typed as a code is a guess."""
    return {table: rows for table, rows in house.everything_stored().items() if table != "rate_limits"}


def judged(form: Form) -> list[str]:
    """The fields that may be wrong; the address beside a password is there for password managers only."""
    return [field for field in form.typed if field != "username"]


def bad_values(form: Form, field: str) -> Iterator[tuple[str, dict[str, str]]]:
    yield "too long", form.honest(**{field: "a" * 10_000})
    if form.fields[field].type == "select":
        yield "not offered", form.honest(**{field: "xx"})
        yield "a hostile choice", form.honest(**{field: "en' OR 1=1"})
    elif form.fields[field].type != "text":  # a name may be left out
        yield "empty", form.honest(**{field: ""})
        yield "missing", {name: value for name, value in form.honest().items() if name != field}
    if form.fields[field].type == "email":
        yield "blank", form.honest(**{field: " \t "})


MORE_THAN_ASKED = {
    "is_admin": "1",
    "id": "00000000-0000-7000-8000-000000000000",
    "user_id": "00000000-0000-7000-8000-000000000000",
    "login_session_id": "00000000-0000-7000-8000-000000000000",
    "email_key": "mallory@example.com",
    "email_verified_at": "2020-01-01T00:00:00Z",
    "disabled_at": "2020-01-01T00:00:00Z",
    "deletion_due_at": "2020-01-01T00:00:00Z",
    "created_at": "2020-01-01T00:00:00Z",
    "expires_at": "2099-01-01T00:00:00Z",
    "auth_time": "2099-01-01T00:00:00Z",
    "password_hash": "$argon2id$planted",
    "methods": "planted",
    "kind": "planted",
}
PLANTED = ("00000000-0000-7000", "mallory", "2020-01-01", "2099-01-01", "planted")


@on_sqlite
@pytest.mark.asvs("8.2.3", "15.3.3")
def test_a_field_that_no_form_has_reaches_no_column(house: House) -> None:
    last = ("account.delete", "account.not_me", "auth.logout")  # each ends the sign-in that the others need
    for form in sorted(house.forms.values(), key=lambda form: form.endpoint in last):
        assert form.send(**MORE_THAN_ASKED).status_code < 500, form.endpoint
    stored = {(table, text) for table, text in Rows(house.app).texts()}
    assert [(table, text) for table, text in stored if any(planted in text for planted in PLANTED)] == []
    assert {form.endpoint for form in house.forms.values()} > set(last)


@on_sqlite
@pytest.mark.asvs("8.2.3", "15.3.3")
def test_the_profile_form_changes_name_and_language_and_nothing_else(alice: str, browser: Browser, rows: Rows) -> None:
    browser.sign_in(alice)

    def account() -> dict[str, object]:
        user = rows.user(alice)
        return {column.name: getattr(user, column.name) for column in User.__table__.columns}

    before = account()
    planted = {**MORE_THAN_ASKED, "email": "mallory@example.com", "password": "planted password for alice"}
    assert browser.submit("/account", name="Alicia", locale="ko", **planted).status_code == 303
    assert account() == {**before, "name": "Alicia", "locale": "ko"}
    for page in ("/account", "/account/data", "/account/sessions", "/account/activity"):
        assert "argon2" not in browser.get(page).text


NUMBERS = ["-1", "0", str(2**31), str(2**63), str(10**40), "1e400", "NaN", "f" * 32, "1' OR '1'='1"]
IDS = ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]


@pytest.mark.asvs("1.4.2")
def test_no_number_in_an_address_is_too_much(alice: str, browser: Browser) -> None:
    browser.sign_in(alice)
    shown = browser.get("/account/activity").text.count("<time")
    token = csrf_token(browser.get("/account/sessions"))
    for value in [*NUMBERS, *IDS]:
        activity = browser.get("/account/activity", query_string={"before": value})
        assert activity.status_code == 200, value
        if value in NUMBERS[:-2]:
            assert activity.text.count("<time") == shown > 0, value
        assert browser.post(f"/account/sessions/{value}/revoke", {TOKEN: token}).status_code == 404, value
        for link in ("/verify-email", "/password/reset", "/email/confirm", "/email/undo"):
            assert browser.get(f"{link}/{value}").status_code == 410, (link, value)


@on_sqlite
@pytest.mark.asvs("4.2.5")
def test_nothing_that_is_sent_along_makes_an_address_or_a_cookie_too_long_for_others(
    google: Flask, provider: LyingProvider
) -> None:
    browser = Browser(google)
    for cookie in ("handshake", "link-offer"):
        browser.set_cookie(cookie, "a" * 3_000)
    path = "/account/activity?before=" + "a" * 8_000
    started = browser.post("/login/google", {TOKEN: csrf_token(browser.get("/login")), "next": path})
    assert started.status_code == 303
    assert len(started.location) < 2_000
    assert "aaaa" not in started.location
    assert all(len(cookie) < 4_096 for cookie in started.headers.getlist("Set-Cookie"))
    back = browser.get(provider.approve(started.location).removeprefix(browser.base_url))
    assert back.location == "/account/welcome", "what is too long is dropped, and the sign-in goes on"


INJECTIONS = [
    "victim@example.com\r\nBcc: evil@example.com",
    "victim@example.com\nBcc: evil@example.com",
    "victim@example.com\r\n\r\nHello",
    "victim@example.com%0d%0aBcc: evil@example.com",
    "victim@example.com, evil@example.com",
    "Victim <victim@example.com>",
    "victim@example.com\u2028Bcc: evil@example.com",
    "\u202evictim@example.com",
    "victim@exa\u202emple.com",
    '"\r\nBcc: evil"@example.com',
]


@on_sqlite
@pytest.mark.asvs("1.3.11")
def test_no_address_brings_a_header_along(
    alice: str, browser: Browser, new_browser: NewBrowser, rows: Rows, mailbox: Mailbox
) -> None:
    browser.sign_in(alice)
    mailbox.deliver()
    before, visitor = (rows.count(OutboxMessage), rows.count(User)), new_browser()
    for address in INJECTIONS:
        assert visitor.submit("/register", email=address, password=PASSWORD, name="x").status_code in (400, 422)
        assert browser.submit("/account/email", email=address).status_code in (400, 422)
    assert (rows.count(OutboxMessage), rows.count(User)) == before
    for address in INJECTIONS:
        assert visitor.submit("/password/forgot", email=address).status_code in (200, 400)
    assert {str(mail["To"]) for mail in mailbox.mails()} == {ALICE}


@on_sqlite
@pytest.mark.asvs("15.3.7", "1.1.1")
def test_of_a_field_in_the_query_and_in_the_form_the_form_counts(alice: str, browser: Browser) -> None:
    queried = "/login?" + urlencode({"email": alice, "password": PASSWORD, "next": "/account/data"})
    asked = {"email": alice, "next": "/account/email"}
    refused = browser.submit(queried, password="not what was chosen here", **asked)
    assert refused.status_code == 422
    assert Page(refused.text).forms[0][1]["next"].value == "/account/email"
    assert browser.submit(queried, password=PASSWORD, **asked).location == "/account/email"
    assert browser.submit("/account?name=Queried&locale=ko", name="Formed", locale="en").status_code == 303
    assert Page(browser.get("/account").text).forms[-1][1]["name"].value == "Formed"
