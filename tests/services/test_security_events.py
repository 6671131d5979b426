"""What happens to an account is written down: once, for its owner and for whoever watches the site."""

from collections.abc import Callable

import pytest
import structlog

from tests.conftest import NewBrowser
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.rows import Rows
from webapp.models import SecurityEvent
from webapp.policy.security_events import EventKind

ALICE = "alice@example.com"
WRONG = "not what was chosen here"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the structured log's security lines, as they come."""
    seen: list[str] = []
    log = structlog.get_logger("security")

    class Noting:
        def info(self, event: str, **ids: str) -> None:
            seen.append(str(event))
            assert not any("@" in str(value) for value in ids.values()), "ids only"
            log.info(event, **ids)

    monkeypatch.setattr("webapp.services.security_events._log", Noting())
    return seen


@pytest.mark.asvs("16.3.1")
def test_each_success_and_each_failure_is_written_once(
    alice: str, browser: Browser, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows, lines: list[str]
) -> None:
    def wrote(act: Callable[[], object]) -> tuple[list[str], list[str]]:
        """The rows and the log lines that something wrote."""
        rows_before, lines_before = len(rows.events()), len(lines)
        act()
        return rows.events()[rows_before:], lines[lines_before:]

    def both(kind: EventKind) -> tuple[list[str], list[str]]:
        return [kind], [kind]

    def only_logged(*names: str) -> tuple[list[str], list[str]]:
        return [], list(names)

    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert wrote(lambda: browser.sign_in(alice, WRONG)) == only_logged("sign_in_failed")
    assert wrote(lambda: browser.sign_in("x@example.com", WRONG)) == only_logged("sign_in_failed")
    assert wrote(lambda: browser.sign_in(alice)) == both(EventKind.SIGNED_IN)
    wrong = {"password": WRONG}
    assert wrote(lambda: browser.submit("/reauthenticate", **wrong)) == only_logged("reauthentication_failed")
    assert wrote(lambda: browser.submit("/reauthenticate", password=PASSWORD)) == both(EventKind.REAUTHENTICATED)
    assert wrote(lambda: browser.submit("/account/password", **change)) == both(EventKind.PASSWORD_CHANGED)
    assert wrote(browser.sign_out) == both(EventKind.SIGNED_OUT)
    forgot = {"email": alice}
    assert wrote(lambda: browser.submit("/password/forgot", **forgot)) == both(EventKind.PASSWORD_RESET_REQUESTED)
    link = mailbox.link(alice, "/password/reset/")
    assert wrote(lambda: browser.submit(link, password=PASSWORD)) == both(EventKind.PASSWORD_RESET)
    assert rows.events()[:2] == [EventKind.REGISTERED, EventKind.EMAIL_CONFIRMED]


def test_an_event_says_where_from_and_by_which_proof(alice: str, new_browser: NewBrowser, rows: Rows) -> None:
    new_browser(ip="203.0.113.7").sign_in(alice)
    events = sorted(rows.all(SecurityEvent, kind=EventKind.SIGNED_IN), key=lambda event: event.id)
    assert [event.details for event in events] == [{"methods": "email"}, {"methods": "pwd"}]
    assert events[1].ip == "203.0.113.7"
    assert "Chrome" in events[1].user_agent
    (live,) = rows.live()
    assert events[1].login_session_id == live.id
