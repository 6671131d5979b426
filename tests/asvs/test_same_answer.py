"""What journeys/test_same_answers.py does not try: an account that was closed, and the answer down to its cookies."""

import re

import pytest

from tests.conftest import NewBrowser
from tests.journeys.test_same_answers import DOORS
from tests.people import Mailbox, runtime_of
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.models import OutboxMessage, User

CLOSED, UNKNOWN = "alice@example.com", "nobody@example.com"
_OF_THIS_REQUEST = re.compile(r'name="csrf_token" value="[^"]+"|=[^;=]+(?=;)')


@on_sqlite
@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize("door", DOORS)
def test_a_closed_account_cannot_be_told_from_none(
    alice: str, new_browser: NewBrowser, rows: Rows, mailbox: Mailbox, door: str
) -> None:
    rows.set(User, {"email": alice}, disabled_at=clock.now())
    mailbox.deliver()
    hashing, seen = runtime_of(new_browser().app).hashing, []
    for email in (CLOSED, UNKNOWN):
        before = hashing.hashes_made, rows.count(OutboxMessage)
        answer = DOORS[door](new_browser(), email)
        headers = {
            name: _OF_THIS_REQUEST.sub("=", value)
            for name, value in answer.headers
            if name not in ("X-Request-ID", "Content-Length")
        }
        body = _OF_THIS_REQUEST.sub("", answer.text).replace(email, "ADDRESS")
        work = hashing.hashes_made - before[0], rows.count(OutboxMessage) - before[1]
        seen.append((answer.status_code, headers, body, work))
    assert seen[0] == seen[1]
