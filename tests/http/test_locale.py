"""Which language a page speaks."""

import flask_babel
import pytest
from flask import Response
from flask.globals import request_ctx

from tests.http.small_app import HTTPS, PUBLIC, small_app
from webapp.http.locale import remember_locale, use_user_locale


@pytest.fixture
def app():
    return small_app()


def language(client, **options):
    return client.get("/", **options).text.rsplit(" ", 1)[1].removesuffix("</p>")


@pytest.mark.parametrize(
    ("wanted", "spoken"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("de,ko;q=0.5", "ko"),
        ("de", "en"),
        ("*;;q=x", "en"),
    ],
)
def test_the_browser_says_which_language_it_prefers(app, wanted, spoken):
    assert language(app.test_client(), headers={"Accept-Language": wanted}) == spoken


def test_a_link_chooses_the_language_for_a_year(app):
    client = app.test_client()
    answer = client.get("/form?a=b&lang=ko&c=%ED%95%9C")
    assert (answer.status_code, answer.location) == (303, "/form?a=b&c=%ED%95%9C")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("lang=ko; ")
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"} <= set(cookie.split("; "))
    assert language(client, headers={"Accept-Language": "en"}) == "ko"


@pytest.mark.asvs("3.3.1", "3.3.2", "3.3.3", "3.3.4")
def test_over_https_the_cookie_is_bound_to_this_host():
    answer = small_app(**HTTPS).test_client().get("/?lang=ko", base_url=PUBLIC)
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-lang=ko; ")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


@pytest.mark.asvs("3.7.2")
@pytest.mark.parametrize("path", ["//evil.example/", "///evil.example/", "/\\evil.example/", "/%5Cevil.example/"])
def test_choosing_a_language_leads_nowhere_else(app, path):
    location = app.test_client().get(f"http://localhost{path}?lang=ko", environ_overrides={"PATH_INFO": path}).location
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


def test_a_name_that_is_spelled_oddly_does_not_send_the_browser_round_in_circles(app):
    assert app.test_client().get("/?l%61ng=ko").location == "/"


@pytest.mark.parametrize("chosen", ["", "de", "ko_KR", "../x", "%0d%0a"])
def test_an_unknown_language_changes_nothing(app, chosen):
    answer = app.test_client().get(f"/?lang={chosen}")
    assert answer.status_code in (200, 400)
    assert "Set-Cookie" not in answer.headers


def test_a_cookie_with_nonsense_is_ignored(app):
    client = app.test_client()
    client.set_cookie("lang", "xx")
    assert language(client) == "en"


def test_a_user_hears_the_language_of_the_account_unless_this_browser_chose_one(app):
    with app.test_request_context(headers={"Cookie": "lang=en"}):
        use_user_locale("ko")
        assert str(flask_babel.get_locale()) == "en"
    with app.test_request_context():
        assert str(flask_babel.get_locale()) == "en"
        use_user_locale("ko")
        assert str(flask_babel.get_locale()) == "ko"


def test_a_language_is_remembered_by_the_browser(app):
    with app.test_request_context():
        assert "lang=ko" in remember_locale(Response(), "ko").headers["Set-Cookie"]
        with pytest.raises(ValueError, match="not a language"):
            remember_locale(Response(), "xx")


def test_choosing_a_language_leaves_the_session_alone(app):
    with app.test_client() as client:
        client.get("/?lang=ko")
        assert not session_was_touched()
        client.get("/talk")
        assert session_was_touched()


def session_was_touched():
    return request_ctx._session.accessed
