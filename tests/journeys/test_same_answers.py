"""Nobody learns from the site who has an account: known and unknown addresses get the same answer for the same work."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import NewBrowser
from tests.people import NEW_PASSWORD, Browser, Mailbox, runtime_of
from tests.rows import Rows
from webapp.models import OutboxMessage

KNOWN, UNCONFIRMED, UNKNOWN = "alice@example.com", "ulrich@example.com", "nobody@example.com"
_TOKEN = re.compile(r'name="csrf_token" value="[^"]+"')

DOORS: dict[str, Callable[[Browser, str], TestResponse]] = {
    "register": lambda b, email: b.submit("/register", email=email, password=NEW_PASSWORD, name="Somebody"),
    "sign in": lambda b, email: b.sign_in(email, "not what was chosen here"),
    "forgot": lambda b, email: b.submit("/password/forgot", email=email),
}


@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize("door", DOORS)
def test_known_and_unknown_addresses_cannot_be_told_apart(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows, mailbox: Mailbox, door: str
) -> None:
    new_browser().submit("/register", email=UNCONFIRMED, password=NEW_PASSWORD, name="Ulrich")
    hashing = runtime_of(app).hashing
    seen = {}
    for email in (KNOWN, UNCONFIRMED, UNKNOWN):
        mailbox.deliver()
        hashes, mails = hashing.hashes_made, rows.count(OutboxMessage)
        browser = new_browser()
        answer = DOORS[door](browser, email)
        body = _TOKEN.sub("", answer.text).replace(email, "ADDRESS")
        headers = sorted(name for name, _ in answer.headers if name != "X-Request-ID")
        seen[email] = (
            answer.status_code,
            body,
            headers,
            browser.get("/login").text.count("notice"),
            hashing.hashes_made - hashes,
            rows.count(OutboxMessage) - mails,
        )
    assert seen[KNOWN] == seen[UNCONFIRMED] == seen[UNKNOWN]
    work = {"register": (1, 1), "sign in": (1, 0), "forgot": (0, 1)}
    assert seen[KNOWN][-2:] == work[door], "hashes made and mails written"


@pytest.mark.asvs("6.3.8")
def test_who_asks_to_move_to_an_address_does_not_learn_whether_it_has_an_account(
    alice: str, new_user: Callable[..., str], browser: Browser, mailbox: Mailbox
) -> None:
    new_user("bob@example.com", name="Bob")
    browser.sign_in(alice)
    seen = {}
    for email in ("bob@example.com", UNKNOWN):
        asked = browser.submit("/account/email", email=email)
        page = browser.get("/account/email")
        seen[email] = asked.status_code, _TOKEN.sub("", page.text).replace(email, "ADDRESS")
    assert seen["bob@example.com"] == seen[UNKNOWN]
    assert "Waiting for your confirmation" in seen[UNKNOWN][1]
    assert "/password/forgot" in mailbox.newest("bob@example.com").get_body(("plain",)).get_content()
