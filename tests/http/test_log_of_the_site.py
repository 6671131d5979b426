"""What the whole site writes down while people use it and others attack it: enough to see who did what, and nothing
by which anybody could be robbed.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask, request
from werkzeug.test import TestResponse

from stand_in.people import GMAIL
from tests.asvs.documents import DATA, name, table
from tests.conftest import GOOGLE, NewApp
from tests.factors import TOTP, make_codes, secret_on, verify
from tests.journeys.pages import csrf_token
from tests.mail_server import running_mail_server
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, runtime_of
from tests.providers.lying import LyingProvider
from tests.rows import Rows, breaking, on_sqlite
from tests.whole_site import ALICE, BOB, FRESH, LEAVER, TOKEN, House, house_of
from webapp import clock
from webapp.gateways.mail_transport import transport_for
from webapp.http.mail_rendering import render
from webapp.models import LoginSession, User
from webapp.services import outbox

pytestmark = on_sqlite

PUBLIC = "https://login.example.com"
BACK = "/login/google/callback"
WRONG = "not what was chosen here"
Line = dict[str, Any]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[Line]]:
    """What was written since the last look. One line that is no JSON object, and it fails."""

    def read() -> list[Line]:
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    return read


@pytest.fixture
def in_seoul(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process runs nine hours ahead of UTC."""
    with monkeypatch.context() as abroad:
        abroad.setenv("TZ", "Asia/Seoul")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def app(new_app: NewApp, lines: Callable[[], list[Line]], in_seoul: None) -> Flask:
    """The site in production, at its most talkative."""
    return new_app(APP_ENV="production", PUBLIC_URL=PUBLIC, LOG_LEVEL="DEBUG", **GOOGLE)


def events(found: list[Line], logger: str = "security") -> list[Line]:
    return [line for line in found if line["logger"] == logger]


JOURNEY = (
    *("auth.register", "auth.verify_email", "auth.keep_account", "auth.reauthenticate", "account.profile"),
    *("federation.start", "federation.link", "federation.connect", "federation.reauthenticate", "federation.unlink"),
    *("account.revoke_other_sessions", "account.export", "auth.reset_password"),
)


@pytest.mark.asvs("16.2.2", "16.2.4", "16.2.5", "14.2.1")
def test_a_whole_life_at_the_site_leaves_lines_that_give_nobody_away(
    house: House, provider: LyingProvider, lines: Callable[[], list[Line]]
) -> None:
    def tell_all() -> str:
        raise RuntimeError(f"{request.form} {request.cookies} {request.url} {request.headers}")

    values = {field.value for form in house.forms.values() for field in form.fields.values()}
    cookies = {cookie.value for browser in (house.alice, house.bob) for cookie in browser.client._cookies.values()}
    secrets = {PASSWORD, NEW_PASSWORD, WRONG, ALICE, BOB, FRESH, LEAVER, "alice@example.org", *values, *cookies}
    secrets |= {token for path in house.pages for token in path.split("/") if len(token) == 43}
    secrets |= {GMAIL.email, GMAIL.name, GMAIL.sub, GOOGLE["GOOGLE_CLIENT_SECRET"]}
    codes = make_codes(house.carol)
    secrets |= {*codes, *(code.replace("-", "") for code in codes), secret_on(house.alice.get(TOTP).text)}
    assert verify(house.halfway, codes[0], method="recovery").status_code == 303
    assert house.forms["auth.mailed_link"].fill_in().location == "/account"
    for endpoint in JOURNEY:
        assert house.forms[endpoint].fill_in().status_code in (200, 303), endpoint
    house.bob.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert house.forms["auth.undo_email_change"].fill_in().status_code == 200
    secrets |= {
        value
        for asked in provider.received
        for name, value in (asked.args | asked.form).items()
        if name in ("state", "nonce", "code", "code_verifier", "code_challenge", "page", "client_secret")
    }
    house.visitor.sign_in(ALICE, WRONG)
    house.app.view_functions["home.index"] = tell_all
    house.alice.get("/?secret=" + WRONG)
    found = lines()
    assert {"request_failed", "signed_in", "password_changed", "mail_sent"} <= {line["event"] for line in found}
    documented = {name(row["field"]) for row in table(DATA, "Log fields")}
    for line in found:
        assert set(line) <= documented, line
        assert {"timestamp", "level", "logger", "event"} <= set(line)
        assert line["timestamp"].endswith("Z")
        assert abs(datetime.fromisoformat(line["timestamp"]) - clock.now()) < timedelta(minutes=5)
    written = json.dumps(found, ensure_ascii=False)
    assert sorted(secret for secret in secrets if len(secret) > 7 and secret in written) == []


@pytest.fixture
def at_work(new_user: Callable[..., str], app: Flask) -> House:
    """Alice signed in and somebody who is not, without the walk."""
    new_user(ALICE)
    house = house_of(app)
    house.alice.sign_in(ALICE)
    return house


def too_old_a_proof(house: House) -> TestResponse:
    with time_machine.travel(clock.now() + timedelta(minutes=11), tick=False):
        return house.alice.get("/account/password")


def somebody_elses(house: House) -> TestResponse:
    token = csrf_token(house.alice.get("/account"))
    return house.alice.post("/account/sessions/00000000-0000-7000-8000-000000000000/revoke", {TOKEN: token})


def forged_cookie(house: House) -> TestResponse:
    thief = Browser(house.app)
    thief.set_cookie("__Host-visitor", "gaRuZXh0oS8.ahYx2Q.forged")
    return thief.get("/login")


def guessing(house: House) -> TestResponse:
    return [house.visitor.sign_in(ALICE, WRONG) for _ in range(11)][-1]


def closed_account(house: House) -> TestResponse:
    Rows(house.app).set(User, {}, disabled_at=clock.now())
    answer = house.visitor.sign_in(ALICE)
    Rows(house.app).set(User, {}, disabled_at=None)
    return answer


ATTEMPTS: list[tuple[str, str | None, bool, Callable[[House], TestResponse]]] = [
    ("authorization_refused", "not_signed_in", False, lambda house: house.visitor.get("/account")),
    ("authorization_refused", "reauthentication_required", True, too_old_a_proof),
    ("authorization_refused", "not_found", True, somebody_elses),
    ("csrf_refused", "", False, lambda house: house.visitor.post("/login", {"email": ALICE})),
    ("cross_site_refused", None, True, lambda h: h.alice.post("/account", headers={"Origin": "https://evil.example"})),
    ("link_refused", "link_invalid", False, lambda house: house.visitor.get("/password/reset/x")),
    ("cookie_forged", None, False, forged_cookie),
    ("request_refused", "body_too_long", False, lambda house: house.visitor.post("/login", b"a" * 100_000)),
    ("request_refused", "unreadable_form", False, lambda h: h.visitor.post("/login", {"email": "\x00"})),
    ("request_refused", "no_form", False, lambda h: h.visitor.post("/login", b"{}", content_type="text/plain")),
    ("request_refused", "repeated_field", False, lambda house: house.visitor.get("/login?a=1&a=2")),
    ("request_refused", "unreadable_path", False, lambda house: house.visitor.get("/%00")),
    ("federation_refused", "authorization_expired", False, lambda house: house.visitor.get(f"{BACK}?state=x&code=y")),
    ("sign_in_failed", None, True, lambda house: house.visitor.sign_in(ALICE, WRONG)),
    ("sign_in_refused", "disabled", True, closed_account),
    ("too_many_attempts", None, False, guessing),
]


@pytest.mark.asvs("16.2.1", "16.3.2", "16.3.3")
def test_each_refusal_is_one_event_that_says_who_where_what_and_why(
    at_work: House, lines: Callable[[], list[Line]]
) -> None:
    alice = str(Rows(at_work.app).user(ALICE).id)
    for event, reason, knows_whom, attempt in ATTEMPTS:
        lines()
        answer = attempt(at_work)
        told = [line for line in events(lines()) if line["event"] == event][-1:]
        assert told, f"{event} {reason}: nothing was written"
        (line,) = told
        assert line["request_id"] == answer.headers["X-Request-ID"], event
        assert {"timestamp", "network", "outcome", "browser"} <= set(line), event
        assert (line["outcome"], line["network"]) == ("refused", "127.0.0.0/24"), event
        assert line["browser"] == "Chrome on Windows", event
        assert "route" in line or event == "cookie_forged" or reason == "unreadable_path", event
        if reason:
            assert line["reason"] == reason
        if knows_whom and event != "cross_site_refused":
            assert line["user_id"] == alice, event
        Rows(at_work.app).set(LoginSession, {}, last_seen_at=clock.now())


@pytest.mark.asvs("16.2.1")
def test_what_succeeds_is_an_event_too_and_the_row_says_the_rest(
    at_work: House, lines: Callable[[], list[Line]]
) -> None:
    lines()
    house, rows = at_work, Rows(at_work.app)
    answer = house.alice.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    (line,) = events(lines())
    (live,) = rows.live(ALICE)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "password_changed",
        "outcome": "done",
        "logger": "security",
        "level": "info",
        "request_id": answer.headers["X-Request-ID"],
        "user_id": str(live.user_id),
        "login_session_id": str(live.id),
        "network": "127.0.0.0/24",
        "browser": "Chrome on Windows",
        "route": "/account/password",
    }
    assert rows.events(ALICE)[-1] == "password_changed"


HOSTILE = ["a\r\nb", '", "event": "forged', "\x1b[2J", "a\u2028b", '{"event": "forged"}', "\u202egnol", "%0d%0aforged"]


@pytest.mark.asvs("16.4.1", "1.3.10")
def test_nothing_that_is_sent_makes_a_line_of_its_own(
    new_app: NewApp, lines: Callable[[], list[Line]], new_user: Callable[..., str]
) -> None:
    browser = Browser(new_app(APP_ENV="production", PUBLIC_URL=PUBLIC, LOG_LEVEL="DEBUG", TRUSTED_PROXIES=1))
    token = csrf_token(browser.get("/login"))
    lines()
    for hostile in (*HOSTILE, "{0.__class__} %s%n %(email)s"):
        raw = hostile.encode().decode("latin-1")
        browser.post("/login", {TOKEN: token, "email": hostile, "password": hostile, "next": hostile})
        browser.post("/register", {TOKEN: token, "email": f"{hostile}@example.com", "name": hostile, "password": "x"})
        browser.get("/login", environ_overrides={"PATH_INFO": f"/{raw}", "QUERY_STRING": raw})
        for header in ("HTTP_USER_AGENT", "HTTP_X_REQUEST_ID", "HTTP_X_FORWARDED_FOR", "HTTP_REFERER", "HTTP_COOKIE"):
            browser.get("/account", environ_overrides={header: raw})
    written = lines()
    requests = events(written, "access")
    assert len(requests) == 8 * len((*HOSTILE, ""))
    assert "forged" not in {line["event"] for line in written}
    assert all(len(line["request_id"]) == 25 for line in requests)


@pytest.mark.asvs("16.3.4")
def test_what_fails_inside_is_an_error_with_the_id_of_the_request(
    at_work: House, lines: Callable[[], list[Line]]
) -> None:
    house, runtime = at_work, runtime_of(at_work.app)
    Mailbox(house.app).deliver()
    lines()
    with breaking(runtime.engine, lambda statement: "login_sessions" in statement):
        answer = house.alice.get("/account")
    (line,) = events(lines(), "errors")
    assert (line["event"], line["level"]) == ("request_failed", "error")
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert (line["error"], line["route"]) == ("RuntimeError", "/account")
    house.visitor.submit("/password/forgot", email=ALICE)
    with running_mail_server() as server, house.app.app_context():
        server.data_answer = "451 not now"
        settings = runtime.settings.model_copy(update={"MAIL_URL": server.url})
        outbox.send_due(render, transport_for(settings), limit=10)
    (line,) = events(lines(), "outbox")
    assert (line["event"], line["level"]) == ("mail_postponed", "warning")
    assert line["reason"]
    assert line["message_id"]


@pytest.mark.asvs("16.2.3")
def test_there_is_one_stream_and_nothing_else_is_written_to(app: Flask) -> None:
    every = [logging.getLogger(), *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    handlers = {handler for logger in every for handler in logger.handlers}
    ours = {type(one) for one in handlers if not type(one).__module__.startswith("_pytest") and one.level < 60}
    assert {kind.__name__ for kind in ours} <= {"_Stderr", "NullHandler"}
    assert "_Stderr" in {kind.__name__ for kind in ours}
