"""Whatever breaks, wherever in the whole site it breaks: one line for the operator, one page for the visitor."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from flask import Flask
from flask_login import LoginManager
from werkzeug.test import TestResponse

from tests.conftest import NewApp
from tests.journeys.pages import csrf_token
from tests.people import NEW_PASSWORD, PASSWORD, Browser, runtime_of
from tests.rows import Rows, breaking, on_sqlite
from tests.whole_site import House
from webapp.errors import StoreUnavailable
from webapp.models import User
from webapp.services import login_sessions
from webapp.services.sealing import Sealer

pytestmark = on_sqlite

SECRET = "postgresql://admin:hunter2@db/app SELECT password_hash FROM users"
TOLD = ("hunter2", "SELECT", "ValueError", "Traceback", "sqlalchemy", "werkzeug", "site-packages", ".py", "/webapp/")


def break_down(*_args: object, **_kwargs: object) -> Any:
    raise ValueError(SECRET)


def tells_nothing(answer: TestResponse) -> bool:
    """A general page with the id under which the operator finds the rest."""
    told = re.sub(r'name="csrf_token" value="[^"]+"', "", answer.text)  # where chance may write anything
    assert [word for word in TOLD if word in told] == []
    return answer.status_code == 500 and answer.headers["X-Request-ID"] in answer.text


@pytest.mark.asvs("16.5.1", "13.4.2")
@pytest.mark.parametrize("language", ["en", "ko"])
def test_wherever_it_breaks_the_page_says_what_to_do_and_not_what_broke(house: House, language: str) -> None:
    house.app.view_functions |= dict.fromkeys(house.app.view_functions, break_down)
    before = house.everything_stored()
    for browser in house.everybody:
        browser.set_cookie("lang", language)
    for rule in house.rules():
        browser = house.person_for(rule.endpoint)
        opened = [browser.get(house.paths[rule.endpoint])] if "GET" in (rule.methods or ()) else []
        sent = [house.forms[rule.endpoint].send()] if rule.endpoint in house.forms else []
        for answer in (*opened, *sent):
            if rule.endpoint == "account.export" or tells_nothing(answer):  # asks first for a fresh sign-in
                assert f'<html lang="{language}"' in answer.text, rule.rule
                continue
            pytest.fail(f"{rule.rule}: {answer.status}")
    assert house.everything_stored() == before


def in_a_request_before(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.before_request_funcs, None, [*app.before_request_funcs[None], break_down])


def in_the_first_thing_before(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.before_request_funcs, None, [break_down, *app.before_request_funcs[None]])


def in_the_view(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.view_functions, "auth.login", break_down)


def in_the_template(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.jinja_env.filters, "device_name", break_down)
    monkeypatch.setattr("webapp.blueprints.auth.views.render_template", break_down)


def in_every_template(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.jinja_env, "select_template", break_down)
    monkeypatch.setattr(app.jinja_env, "get_or_select_template", break_down)


def in_the_error_handler(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_view(app, monkeypatch)
    monkeypatch.setattr("webapp.http.error_pages.refusal", break_down)


def after_the_view(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.after_request_funcs, None, [*app.after_request_funcs[None], break_down])


@pytest.mark.asvs("16.5.4", "16.3.4")
@pytest.mark.parametrize(
    "where",
    [
        *(in_a_request_before, in_the_first_thing_before, in_the_view, in_the_template, in_every_template),
        *(in_the_error_handler, after_the_view),
    ],
)
def test_one_event_a_clean_500_and_the_site_goes_on(
    browser: Browser,
    app: Flask,
    where: Callable[[Flask, pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as broken:
        where(app, broken)
        answer = browser.get("/login")
    written = capsys.readouterr().err
    assert answer.status_code == 500
    assert [word for word in TOLD if word in answer.text] == []
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    events = re.findall(r"\b(request_failed|last_resort)\b", written)
    expected = ["request_failed", "request_failed", "last_resort"] if where is in_the_error_handler else events[:1]
    assert events == expected != [], written
    assert answer.headers["X-Request-ID"] in written
    assert "hunter2" not in written
    assert browser.get("/login").status_code == 200


# Nothing is let through because the check that should have stopped it broke


def registers(browser: Browser) -> TestResponse:
    return browser.submit("/register", email="new@example.com", password=PASSWORD, name="New")


def signs_in(browser: Browser) -> TestResponse:
    return browser.sign_in("alice@example.com")


def changes_password(browser: Browser) -> TestResponse:
    return browser.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)


@pytest.mark.asvs("16.5.3")
@pytest.mark.parametrize("act", [registers, signs_in], ids=lambda act: act.__name__)
@pytest.mark.parametrize(
    ("check", "error", "status"),
    [
        ("webapp.services.throttle.Throttle.hit", StoreUnavailable(), 503),
        ("webapp.services.throttle.Throttle.hit", ValueError(SECRET), 500),
        ("flask_wtf.csrf.validate_csrf", ValueError(SECRET), 500),
    ],
)
def test_a_check_that_breaks_refuses(
    alice: str,
    browser: Browser,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[Browser], TestResponse],
    check: str,
    error: Exception,
    status: int,
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    browser.get("/login")
    with monkeypatch.context() as broken:
        broken.setattr(check, fail)
        assert act(browser).status_code == status
    assert not browser.is_signed_in
    assert rows.count(User) == 1
    assert act(browser).status_code in (200, 303)


@pytest.mark.asvs("16.5.3", "2.3.3")
def test_where_the_mail_cannot_be_sealed_there_is_no_account(
    browser: Browser, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Sealer, "seal", break_down)
        assert tells_nothing(registers(browser))
    assert rows.count(User) == 0
    assert registers(browser).status_code == 200


@pytest.mark.asvs("16.5.3")
def test_where_the_list_of_breached_passwords_breaks_no_password_is_taken(
    alice: str, browser: Browser, rows: Rows, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.sign_in(alice)
    before = rows.user(alice).password_hash
    with monkeypatch.context() as broken:
        broken.setattr(type(runtime_of(app).breached), "__contains__", break_down)
        assert tells_nothing(changes_password(browser))
    assert rows.user(alice).password_hash == before
    assert changes_password(browser).status_code == 303


def the_judgement(_rows: Rows, broken: pytest.MonkeyPatch) -> AbstractContextManager[None]:
    broken.setattr(login_sessions, "judge_visit", break_down)
    return nullcontext()


def the_user_loader(_rows: Rows, broken: pytest.MonkeyPatch) -> AbstractContextManager[None]:
    broken.setattr(LoginManager, "_load_user", break_down)
    return nullcontext()


def the_database(rows: Rows, _broken: pytest.MonkeyPatch) -> AbstractContextManager[None]:
    return breaking(rows.engine, lambda statement: "login_sessions" in statement)


@pytest.mark.asvs("16.5.3")
@pytest.mark.parametrize("part", [the_judgement, the_user_loader, the_database])
def test_where_nobody_can_say_who_is_signed_in_nobody_is(
    alice: str,
    browser: Browser,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
    part: Callable[[Rows, pytest.MonkeyPatch], AbstractContextManager[None]],
) -> None:
    browser.sign_in(alice)
    token = csrf_token(browser.get("/account"))
    with monkeypatch.context() as broken, part(rows, broken):
        answers = [browser.get("/account"), browser.post("/account/data/delete", {"csrf_token": token})]
    assert all(tells_nothing(answer) and alice not in answer.text for answer in answers)
    assert rows.user(alice).deletion_due_at is None
    assert browser.is_signed_in


@pytest.mark.asvs("16.5.1")
def test_in_production_an_error_is_no_debugger(new_app: NewApp) -> None:
    app = new_app(APP_ENV="production", PUBLIC_URL="https://login.example.com")
    app.view_functions["auth.login"] = break_down
    assert tells_nothing(Browser(app).get("/login"))
