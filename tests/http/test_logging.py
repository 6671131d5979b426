"""What a log says, and what it never says."""

import json
import logging
import re
import time
import uuid

import pytest
import structlog

from tests.http.small_app import HTTPS, PUBLIC, small_app
from webapp.http.log_context import bind_log_context
from webapp.http.logging import security_log
from webapp.http.redaction import MAX_TEXT, REDACTED, is_private_key, redact, redact_text

PASSWORD = "correct horse battery staple"
TOKEN = "Zk3nQ0pXv7LrT2mYb8WcD5eFgH1jKaSu9iOlPqRsTuV"
ADDRESS = "alice.liddell+test@example.com"
COOKIE = "c00kie-value-of-alice"
PRIVATE = (PASSWORD, TOKEN, ADDRESS, COOKIE, "correct%20horse", "correct+horse", "alice.liddell")


@pytest.fixture
def lines(capsys):
    """The log lines of a production site, parsed."""

    def read():
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    return read


def production(break_it=lambda: None, **settings):
    app = small_app(break_it, **{**HTTPS, **settings})
    app.config["WTF_CSRF_ENABLED"] = False
    return app


@pytest.mark.asvs("16.2.1", "16.2.2", "16.2.4")
def test_a_request_leaves_one_line_that_says_what_happened(lines):
    answer = (
        production().test_client().get("/reset/" + TOKEN, base_url=PUBLIC, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    )
    (line,) = lines()
    assert line.pop("duration_ms") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "logger": "access",
        "level": "info",
        "method": "GET",
        "route": "/reset/<secret>",
        "endpoint": "reset",
        "status": 200,
        "network": "192.0.2.0/24",
        "request_id": answer.headers["X-Request-ID"],
    }


def leave_traces_everywhere():
    logging.getLogger("some.library").warning("user %s with password=%s", ADDRESS, PASSWORD)
    logging.getLogger("gunicorn.error").error("Error handling request /reset/%s?email=%s", TOKEN, ADDRESS)
    structlog.get_logger("ours").warning(
        "odd thing", password=PASSWORD, headers={"Cookie": COOKIE, "x": [TOKEN]}, text=f"Cookie: session={COOKIE}"
    )
    security_log("something_odd", reason=ADDRESS)
    try:
        raise KeyError(f"{ADDRESS} {TOKEN}")
    except KeyError as cause:
        raise RuntimeError(f"no such user: {ADDRESS} / {PASSWORD} / {TOKEN} / {COOKIE!r}") from cause


@pytest.mark.asvs("16.2.5", "14.2.1")
@pytest.mark.parametrize("app_env", ["production", "testing"])
def test_no_password_token_address_or_cookie_stands_in_a_log(app_env, capsys):
    client = production(leave_traces_everywhere, APP_ENV=app_env).test_client()
    client.set_cookie("other", COOKIE, domain="login.example.com")
    typed = {"email": ADDRESS, "password": PASSWORD, "token": TOKEN}
    secure = {"base_url": PUBLIC, "headers": {"Authorization": f"Bearer {TOKEN}", "Referer": f"{PUBLIC}/reset/{TOKEN}"}}
    assert client.post(f"/reset/{TOKEN}?email={ADDRESS}", data=typed, **secure).status_code == 200
    assert client.post(f"/break?token={TOKEN}", data=typed, **secure).status_code == 500
    assert client.get(f"/nothing/{TOKEN}?password={PASSWORD}", **secure).status_code == 404
    assert client.post(f"/form?a=%00{TOKEN}", data=typed, **secure).status_code == 400
    written = capsys.readouterr().err
    assert "request_failed" in written
    assert "RuntimeError" in written
    assert "something_odd" in written
    for private in PRIVATE:
        assert private not in written


@pytest.mark.asvs("16.3.4")
def test_what_broke_can_still_be_found_in_the_log(lines):
    answer = production(leave_traces_everywhere).test_client().get("/break", base_url=PUBLIC)
    (failure,) = [line for line in lines() if line["event"] == "request_failed"]
    assert failure["request_id"] == answer.headers["X-Request-ID"]
    assert "leave_traces_everywhere" in failure["exception"]
    assert "RuntimeError" in failure["exception"]
    assert "KeyError" in failure["exception"]


@pytest.mark.asvs("16.4.1")
@pytest.mark.parametrize("app_env", ["production", "testing"])
@pytest.mark.parametrize(
    "wild", ["a\nb", "a\r\nb", "\x1b[2J", '", "event": "forged', "a\u2028b", "\u202e", "\x00", "\ud800"]
)
def test_a_forged_line_stays_within_its_line(app_env, wild, capsys):
    def break_it():
        structlog.get_logger("ours").warning(f"event {wild}", value=wild, nested={"a": [wild]})

    production(break_it, APP_ENV=app_env).test_client().get("/break", base_url=PUBLIC)
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 2
    assert all(character == "\n" or character.isprintable() for character in written)


def test_nobody_can_blank_a_line_by_sending_its_words(lines):
    words = {"a": "request", "b": "access", "c": "info", "d": "POST", "e": "form"}
    production().test_client().post("/form", data=words, base_url=PUBLIC)
    (line,) = lines()
    assert (line["event"], line["logger"], line["method"], line["endpoint"]) == ("request", "access", "POST", "form")


def test_the_request_id_of_a_stranger_is_not_taken_over():
    answer = production().test_client().get("/", base_url=PUBLIC, headers={"X-Request-ID": "abcdefgh"})
    assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]{8}", answer.headers["X-Request-ID"])


@pytest.mark.parametrize(
    ("inbound", "is_kept"),
    [
        ("abcdefgh", True),
        ("A" * 64, True),
        ("short", False),
        ("A" * 65, False),
        ("abc def ghi", False),
        ("a" * 8 + "<", False),
    ],
)
def test_the_request_id_of_a_trusted_proxy_is_taken_over_where_it_is_one(inbound, is_kept):
    client = production(TRUSTED_PROXIES=1).test_client()
    answer = client.get("/", base_url=PUBLIC, headers={"X-Request-ID": inbound})
    assert (answer.headers["X-Request-ID"] == inbound) is is_kept


def test_what_one_request_bound_is_gone_in_the_next(lines):
    client = production(lambda: bind_log_context(user_id=uuid.uuid4())).test_client()
    client.get("/break", base_url=PUBLIC)
    client.get("/", base_url=PUBLIC)
    first, second = lines()
    assert uuid.UUID(first["user_id"])
    assert "user_id" not in second


def test_a_made_up_method_is_logged_as_other(lines):
    production().test_client().open("/", method="MADEUP", base_url=PUBLIC)
    assert lines()[-1]["method"] == "other"


@pytest.mark.asvs("16.3.2", "16.3.3")
@pytest.mark.parametrize(
    ("method", "path", "headers", "event"),
    [
        ("POST", "/form", {}, "csrf_refused"),
        ("POST", "/form", {"Origin": "https://evil.example"}, "cross_site_refused"),
        ("GET", "/form?a=1&a=2", {}, "request_refused"),
        ("GET", "/form", {"Host": "evil.example"}, "request_refused"),
        ("GET", "/form?a=%00", {}, "request_refused"),
    ],
)
def test_an_attempt_to_get_round_a_check_is_logged(method, path, headers, event, lines):
    app = small_app(**HTTPS)
    app.test_client().open(path, method=method, base_url=PUBLIC, headers=headers)
    assert event in [line["event"] for line in lines() if line["logger"] == "security"]


def test_the_level_can_be_chosen(capsys):
    production(LOG_LEVEL="ERROR").test_client().get("/", base_url=PUBLIC)
    assert capsys.readouterr().err == ""


def test_two_applications_do_not_write_every_line_twice(lines):
    production()
    production().test_client().get("/", base_url=PUBLIC)
    assert len(lines()) == 1


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("mail to a@localhost failed", f"mail to {REDACTED} failed"),
        ("이메일 김@example.com.", f"이메일 {REDACTED}."),
        ("a@example.com!b@example.com", REDACTED),
        ("a@example.com,b@example.com", f"{REDACTED},{REDACTED}"),
        ("GET /x/a%2Bb%40example.com%40c HTTP/1.1", f"GET /x/{REDACTED} HTTP/1.1"),
        ("redis://user:pass@host:6379/0", f"redis://{REDACTED}@host:6379/0"),
        ("GET /login?next=/a&b=c HTTP/1.1", f"GET /login?{REDACTED} HTTP/1.1"),
        ("password=hunter2, and", f"password={REDACTED}, and"),
        ("{'new_password': 'a b c', 'x': 1}", f"{{'new_password': {REDACTED}, 'x': 1}}"),
        ("Set-Cookie: a=b; Path=/", f"Set-Cookie: {REDACTED}"),
        ("Authorization: Bearer abc.def", f"Authorization: {REDACTED}"),
        ("[SQL: SELECT 1]\n[parameters: ('a', 'b')]\n(more)", f"[SQL: SELECT 1]\n{REDACTED}\n(more)"),
        ("DETAIL:  Key (name)=(Alice) already exists.", f"DETAIL:{REDACTED}"),
        ("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlMTIz", REDACTED),
        ("sha " + "0123456789abcdef" * 4, f"sha {REDACTED}"),
        ("user 0192f0c1-1234-7abc-8def-0123456789ab", "user 0192f0c1-1234-7abc-8def-0123456789ab"),
        ("in test_a_function_with_a_rather_long_name", "in test_a_function_with_a_rather_long_name"),
        ("status code 500 after 3 tries", "status code 500 after 3 tries"),
    ],
)
def test_private_things_are_known_by_their_looks(text, clean):
    assert redact_text(text) == clean


@pytest.mark.parametrize(
    "key", ["password", "new_password", "csrf_token", "Set-Cookie", "secretKey", "code", "EMAIL", "refresh_token"]
)
def test_private_things_are_known_by_their_names(key):
    assert is_private_key(key)
    assert redact({key: {"deep": 1}}) == {key: REDACTED}


@pytest.mark.parametrize("key", ["reason", "route", "status_code", "kind", "encoding", "tokenized"])
def test_ordinary_names_are_left_alone(key):
    assert not is_private_key(key)


def test_what_was_sent_is_found_in_every_spelling():
    sent = ["pass word\n한글"]
    for spelled in (
        "pass word\n한글",
        "pass word\\n한글",
        "pass%20word%0A%ED%95%9C%EA%B8%80",
        "pass+word%0A%ED%95%9C%EA%B8%80",
    ):
        assert redact_text(f"<{spelled}>", sent) == f"<{REDACTED}>"


@pytest.mark.asvs("1.3.12")
@pytest.mark.parametrize(
    "piece", ["a", "a.", "=", "password=", "'", "://", "?a=", "@", "-", "a@", "[parameters: ", "cookie:\n", "\\", "1a"]
)
def test_redaction_of_hostile_text_takes_no_time(piece):
    started = time.thread_time()
    redact_text(piece * 100_000)
    assert time.thread_time() - started < 0.3


def test_long_texts_are_shortened_in_the_middle():
    shortened = redact_text("begin " + "x " * MAX_TEXT + " end")
    assert len(shortened) < MAX_TEXT + 100
    assert shortened.startswith("begin")
    assert shortened.endswith("end")
