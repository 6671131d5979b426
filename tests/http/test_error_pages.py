"""What is answered when something is refused or breaks."""

from datetime import timedelta

import jinja2
import pytest
import redis.exceptions
import sqlalchemy.exc
from flask import abort, make_response
from flask.sessions import SecureCookieSessionInterface

from tests.http.small_app import small_app
from webapp.errors import StoreUnavailable, TooManyAttempts
from webapp.http import error_pages

SECRET = "postgresql://admin:hunter2@db/app"


def raising(error):
    def break_it():
        raise error

    return break_it


def answer_to(error, path="/break", **options):
    return small_app(raising(error)).test_client().get(path, **options)


@pytest.mark.asvs("16.5.1", "13.4.2")
def test_what_breaks_is_told_without_what_broke():
    answer = answer_to(ValueError(SECRET))
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] in answer.text
    for word in ("hunter2", "ValueError", "Traceback", "flask", "/work", ".py"):
        assert word not in answer.text.replace("/static/", "")


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 413, 429, 500, 503])
def test_every_refusal_has_a_page_of_the_family(status):
    app = small_app(lambda: abort(status))
    answer = app.test_client().get("/break")
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    assert f">{status}<" in answer.text
    assert "css/site.css" in answer.text


@pytest.mark.parametrize(("status", "shown"), [(415, "400"), (418, "400"), (501, "500"), (504, "500")])
def test_a_status_without_a_page_of_its_own_borrows_one(status, shown):
    answer = small_app(lambda: abort(status)).test_client().get("/break")
    assert answer.status_code == status
    assert f">{shown}<" in answer.text


AWAY = [
    StoreUnavailable(),
    sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception(SECRET)),
    sqlalchemy.exc.InterfaceError("SELECT 1", {}, Exception(SECRET)),
    sqlalchemy.exc.TimeoutError(SECRET),
    redis.exceptions.ConnectionError(SECRET),
    redis.exceptions.TimeoutError(SECRET),
    redis.exceptions.BusyLoadingError(SECRET),
]


@pytest.mark.asvs("16.5.2", "16.5.3")
@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_a_store_that_is_away_is_said_so_and_when_to_come_back(error):
    answer = answer_to(error)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert "hunter2" not in answer.text


class SessionIsAway(SecureCookieSessionInterface):
    """A session store that is down when the request begins."""

    def open_session(self, app, request):
        raise sqlalchemy.exc.OperationalError("SELECT", {}, Exception("down"))


def test_the_page_comes_also_when_the_session_could_not_even_be_opened():
    app = small_app()
    app.session_interface = SessionIsAway()
    answer = app.test_client().get("/form")
    assert answer.status_code == 503
    assert ">503<" in answer.text
    assert answer.headers["Content-Security-Policy"]


def test_an_error_page_asks_nobody_who_is_signed_in():
    app = small_app(raising(StoreUnavailable()))

    @app.context_processor
    def current_user():
        raise AssertionError("an error page asked")

    assert ">503<" in app.test_client().get("/break").text


@pytest.mark.parametrize(
    ("wait", "seconds", "words"),
    [
        (timedelta(seconds=30), "30", "30 seconds"),
        (timedelta(milliseconds=1), "1", "1 second"),
        (timedelta(minutes=15), "900", "15 minutes"),
    ],
)
def test_who_tries_too_often_is_told_how_long_to_wait(wait, seconds, words):
    answer = answer_to(TooManyAttempts(wait))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == seconds
    assert words in answer.text


def test_the_api_is_answered_in_its_own_form():
    answer = answer_to(TooManyAttempts(timedelta(seconds=7)), "/api/v1/break")
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert (answer.json["status"], answer.json["code"]) == (429, "too_many_attempts")
    assert answer.json["type"].endswith("/api/v1/docs#too_many_attempts")
    assert answer.headers["Retry-After"] == "7"
    assert answer_to(None, "/api/v1/nothing").mimetype == "application/problem+json"


def test_what_a_view_says_with_its_refusal_is_kept():
    answer = small_app(lambda: abort(make_response("own words", 409))).test_client().get("/break")
    assert (answer.status_code, answer.text) == (409, "own words")


@pytest.mark.asvs("16.5.4")
def test_a_broken_error_page_becomes_plain_text():
    app = small_app(raising(ValueError(SECRET)))
    app.jinja_env.loader = jinja2.DictLoader({"errors/500.html": "{{ 1 // 0 }}"})
    answer = app.test_client().get("/break")
    assert (answer.status_code, answer.mimetype) == (500, "text/plain")
    assert answer.text.startswith("500 Internal Server Error")
    assert answer.headers["Content-Security-Policy"]
    assert app.test_client().get("/nothing").text.startswith("404 Not Found")


@pytest.mark.asvs("16.5.4")
def test_when_even_the_error_handler_breaks_there_is_still_an_answer(monkeypatch, capsys):
    app = small_app(raising(ValueError(SECRET)))
    monkeypatch.setattr(error_pages, "refusal", raising(RuntimeError(SECRET)))
    monkeypatch.setattr(app, "handle_exception", raising(RuntimeError(SECRET)))
    answer = app.test_client().get("/break")
    assert (answer.status_code, answer.mimetype) == (500, "text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "last_resort" in capsys.readouterr().err
    assert app.test_client().get("/form").status_code == 200


def test_a_test_that_wants_to_see_the_failure_sees_it():
    app = small_app(raising(ValueError("seen")))
    app.config["PROPAGATE_EXCEPTIONS"] = None
    with pytest.raises(ValueError, match="seen"):
        app.test_client().get("/break")


def test_the_error_page_speaks_the_language_of_the_visitor():
    assert '<html lang="ko">' in answer_to(ValueError(), headers={"Accept-Language": "ko"}).text
