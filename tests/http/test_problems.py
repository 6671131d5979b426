"""Refusals as problem documents: RFC 9457, and the challenges of RFC 6750 and RFC 9470."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.test import TestResponse

from tests.apps import App
from tests.conftest import NewApp
from tests.people import Browser
from tests.rows import Rows
from tests.stores import Stores
from webapp import clock, errors
from webapp.errors import DomainError
from webapp.http.problems import MEDIA_TYPE, STATUS, challenge_of, problem_of, refuse_by_status, told_codes
from webapp.models import LoginSession
from webapp.policy.login_sessions import FRESH_FOR

MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}
LOGIN = {"email": "alice@example.com", "password": "wrong wrong wrong wrong"}
HANGUL = re.compile("[가-힣]")


@pytest.fixture
def stores(sqlite: Stores) -> Stores:
    """What is refused, and how, does not depend on the stores."""
    return sqlite


def made(kind: type[DomainError]) -> DomainError:
    """A refusal of a kind."""
    if kind is errors.TooManyAttempts:
        return errors.TooManyAttempts(timedelta(seconds=7))
    if kind is errors.PasswordRefused:
        return errors.PasswordRefused("breached")
    if kind is errors.ValidationFailed:
        return errors.ValidationFailed((("/email", "This is missing."), ("?limit", "Too many.")))
    return kind()


def test_every_refusal_is_a_problem_document(app: Flask) -> None:
    for kind in STATUS:
        with app.test_request_context("/api/v1/me"):
            answer = problem_of(made(kind))
        document = answer.json
        code = "session_revoked" if kind is errors.NotSignedIn else kind.code
        assert answer.mimetype == MEDIA_TYPE == "application/problem+json"
        assert document.keys() >= MEMBERS, code
        assert answer.status_code == document["status"] == STATUS[kind]
        assert document["code"] == code
        assert document["type"] == f"http://127.0.0.1:8000/api/v1/docs#{code}"
        assert document["title"] == code.replace("_", " ").capitalize()
        assert document["detail"], code


def test_every_status_is_a_problem_document_too(app: Flask) -> None:
    for status in (400, 401, 403, 404, 405, 413, 415, 418, 429, 500, 503, 504):
        with app.test_request_context("/api/v1/me"):
            answer = refuse_by_status(status)
        assert answer.status_code == answer.json["status"] == status
        assert answer.json.keys() == MEMBERS
        assert answer.json["code"] in told_codes()


def test_the_type_of_every_problem_leads_to_an_anchor_on_the_page_about_the_api(app: Flask) -> None:
    with app.test_request_context("/api/v1/me"):
        types = {problem_of(made(kind)).json["type"] for kind in STATUS}
        types |= {refuse_by_status(status).json["type"] for status in (400, 405, 413, 500)}
    pages = {address.partition("#")[0] for address in types}
    (page,) = pages
    text = Browser(app).get(page.removeprefix("http://127.0.0.1:8000")).text
    for address in types:
        assert f'id="{address.partition("#")[2]}"' in text


def test_the_type_is_at_the_public_address(new_app: NewApp) -> None:
    app = new_app(PUBLIC_URL="https://login.example.com")
    answer = App(app).get("/me")
    assert answer.json["type"] == "https://login.example.com/api/v1/docs#token_missing"


def test_the_id_is_that_of_the_request_and_of_its_log_line(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    answer = App(app).get("/me")
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    assert answer.json["request_id"] in capsys.readouterr().err


def test_the_detail_is_in_the_language_that_is_asked_for_and_the_rest_is_not(app: Flask) -> None:
    english, korean = (App(app, language=language).post("/auth/login", LOGIN).json for language in ("en-GB", "ko-KR"))
    assert not HANGUL.search(english["detail"])
    assert HANGUL.search(korean["detail"])
    own = {"detail", "request_id"}
    assert {name: korean[name] for name in MEMBERS - own} == {name: english[name] for name in MEMBERS - own}


def test_a_misfit_says_where(app: Flask) -> None:
    with app.test_request_context("/api/v1/me"):
        document = problem_of(made(errors.ValidationFailed)).json
    assert document["errors"] == [
        {"pointer": "/email", "detail": "This is missing."},
        {"parameter": "limit", "detail": "Too many."},
    ]


def test_nothing_is_told_that_was_not_meant_to_be(app: Flask) -> None:
    with app.test_request_context("/api/v1/me"):
        document = problem_of(errors.SessionRevoked(reason="operator", user_id="7", note="mallory@example.com")).json
    assert document.keys() == MEMBERS | {"reason"}


def test_pages_are_refused_with_pages(app: Flask) -> None:
    answer = Browser(app).get("/nothing")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


# WWW-Authenticate


def challenge(answer: TestResponse) -> WWWAuthenticate:
    """The one challenge of an answer."""
    (header,) = answer.headers.getlist("WWW-Authenticate")
    found = WWWAuthenticate.from_header(header)
    assert found is not None
    assert found.type == "bearer"
    assert found.parameters.pop("realm") == "api"
    return found


@pytest.fixture
def phone(app: Flask, alice: str) -> App:
    """Alice's app, signed in."""
    found = App(app)
    assert found.sign_in(alice).status_code == 200
    return found


def test_who_shows_nothing_is_told_nothing_but_the_scheme(phone: App) -> None:
    for path in ("/me", "/auth/session", "/sessions"):
        answer = phone.get(path, token="")
        assert answer.json["code"] == "token_missing"
        assert challenge(answer).parameters == {}  # RFC 6750, section 3.1
    answer = phone.get("/me", token="", headers={"Authorization": "Basic YWxpY2U6c2VjcmV0"})
    assert challenge(answer).parameters == {}


def test_a_token_that_is_none_is_invalid(phone: App) -> None:
    for token in ("nonsense", phone.access_token[:-4], phone.refresh_token):
        answer = phone.get("/me", token=token)
        assert answer.json["code"] == "token_invalid"
        assert challenge(answer).parameters == {"error": "invalid_token"}


def test_a_token_whose_time_is_over_is_invalid_because_of_that(phone: App, rows: Rows) -> None:
    with pytest.MonkeyPatch.context() as patch:
        later = clock.now() + timedelta(minutes=11)
        patch.setattr(clock, "now", lambda: later)
        answer = phone.get("/me")
    assert answer.json["code"] == "token_expired"
    assert challenge(answer).parameters == {"error": "invalid_token", "error_description": "expired"}


def test_a_token_whose_session_was_ended_is_invalid_because_of_that(phone: App) -> None:
    assert phone.sign_out().status_code == 204
    answer = phone.get("/me")
    assert answer.json["code"] == "session_revoked"
    assert challenge(answer).parameters == {"error": "invalid_token", "error_description": "revoked"}


def test_a_proof_that_is_too_old_is_asked_for_anew_and_how_new_it_has_to_be(phone: App, rows: Rows) -> None:
    rows.set(LoginSession, {"ended_at": None}, auth_time=clock.now() - FRESH_FOR)
    other = rows.api_session(generation=1)
    answer = phone.call("DELETE", f"/sessions/{other.id}")
    assert answer.json["code"] == "reauthentication_required"
    assert challenge(answer).parameters == {  # RFC 9470, section 3
        "error": "insufficient_user_authentication",
        "max_age": str(int(FRESH_FOR.total_seconds())),
    }


def test_a_wrong_password_at_the_door_is_no_bad_token(phone: App) -> None:
    answer = phone.post("/auth/login", LOGIN, token="")
    assert (answer.status_code, challenge(answer).parameters) == (401, {})


def test_who_mistypes_their_own_password_is_not_asked_to_sign_in(phone: App) -> None:
    body = {"current_password": "wrong wrong wrong wrong", "new_password": "eight louder herons landing"}
    answer = phone.post("/me/password", body)
    assert (answer.status_code, answer.json["code"]) == (403, "invalid_credentials")
    assert answer.json["errors"][0]["pointer"] == "/current_password"
    assert "WWW-Authenticate" not in answer.headers
    assert phone.is_signed_in


def test_a_challenge_comes_with_401_and_with_nothing_else(app: Flask) -> None:
    with app.test_request_context("/api/v1/me"):
        for kind in STATUS:
            answer = problem_of(made(kind))
            assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401), kind.code


def test_every_challenge_is_written_as_the_specification_wants() -> None:
    text = r'"[\x20\x21\x23-\x5b\x5d-\x7e]+"'  # RFC 6750, section 3: no quotes, no backslashes
    for code in told_codes():
        assert re.fullmatch(rf"Bearer realm={text}(, [a-z_]+={text})*", challenge_of(code)), code
