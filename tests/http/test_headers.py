"""Headers of every answer."""

import re

import pytest

from tests.http.small_app import HTTPS, PUBLIC, small_app
from webapp.http.headers import DATA_CSP, PAGE_CSP


def broken():
    raise ValueError("on purpose")


@pytest.fixture
def app():
    return small_app(broken, **HTTPS)


ANSWERS = [
    ("GET", "/", 200),
    ("GET", "/seen", 200),
    ("GET", "/?lang=ko", 303),
    ("GET", "/nothing", 404),
    ("GET", "/reset/secret", 200),
    ("DELETE", "/form", 405),
    ("POST", "/form", 400),
    ("GET", "/break", 500),
    ("GET", "/api/v1/break", 500),
    ("GET", "/static/css/site.css", 200),
    ("GET", "/static/nothing.css", 404),
    ("HEAD", "/", 200),
    ("OPTIONS", "/form", 200),
    ("TRACE", "/", 405),
    ("GET", "/%00", 400),
]


@pytest.mark.asvs("3.4.1", "3.4.4", "3.4.5", "3.4.6", "3.4.8", "3.5.8", "13.4.6")
@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_every_answer_carries_the_headers(app, method, path, status):
    answer = app.test_client().open(path, method=method, base_url=PUBLIC, buffered=True)
    assert answer.status_code == status
    headers = answer.headers
    assert headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] in ("same-origin", "strict-origin")
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "base-uri 'none'" in headers["Content-Security-Policy"]
    if answer.mimetype == "text/html":
        assert "camera=()" in headers["Permissions-Policy"]
        assert "publickey-credentials-get=(self)" in headers["Permissions-Policy"]
    else:
        assert "Permissions-Policy" not in headers, "what is no document uses nothing"
    assert "Server" not in headers
    assert "X-Powered-By" not in headers
    assert len(headers.getlist("Content-Security-Policy")) == 1


@pytest.mark.asvs("4.1.1")
@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_every_body_says_what_it_is(app, method, path, status):
    answer = app.test_client().open(path, method=method, base_url=PUBLIC, buffered=True)
    if not answer.data:
        return
    expected = (
        r"application/problem\+json" if path.startswith("/api/") else r"text/(html|css); charset=utf-8|application/json"
    )
    assert re.fullmatch(expected, answer.content_type)


@pytest.mark.asvs("3.4.3")
def test_a_page_may_load_and_run_only_what_comes_from_here(app):
    policy = app.test_client().get("/", base_url=PUBLIC).headers["Content-Security-Policy"]
    assert policy == PAGE_CSP
    assert "default-src 'none'" in policy
    assert "object-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.asvs("3.2.1")
def test_what_is_no_page_is_not_rendered_as_one(app):
    answer = app.test_client().get("/api/v1/break", base_url=PUBLIC, headers={"Sec-Fetch-Dest": "document"})
    assert answer.headers["Content-Security-Policy"] == DATA_CSP
    assert "sandbox" in DATA_CSP
    assert "html" not in answer.content_type


@pytest.mark.asvs("14.3.2", "14.2.2", "14.2.5")
@pytest.mark.parametrize("path", ["/", "/form", "/seen", "/nothing", "/break", "/form/x.css", "/form;.js"])
def test_nothing_dynamic_is_kept_anywhere(app, path):
    assert app.test_client().get(path, base_url=PUBLIC).headers["Cache-Control"] == "no-store"


def test_pages_vary_by_cookie_and_language(app):
    assert {"cookie", "accept-language"} <= {name.lower() for name in app.test_client().get("/", base_url=PUBLIC).vary}


@pytest.mark.asvs("3.4.5")
def test_a_page_whose_address_holds_a_token_tells_only_the_origin(app):
    assert app.test_client().get("/reset/secret", base_url=PUBLIC).headers["Referrer-Policy"] == "strict-origin"


def test_over_http_nothing_is_said_about_https():
    assert "Strict-Transport-Security" not in small_app().test_client().get("/").headers


def test_a_static_file_is_addressed_by_its_content_and_kept_for_ever(app):
    with app.test_request_context(base_url=PUBLIC):
        url = app.url_for("static", filename="css/site.css")
    assert re.fullmatch(r"/static/css/site\.css\?v=[0-9a-f]{12}", url)
    client = app.test_client()
    assert (
        client.get(url, base_url=PUBLIC, buffered=True).headers["Cache-Control"]
        == "public, max-age=31536000, immutable"
    )


@pytest.mark.parametrize("query", ["", "?v=000000000000", "?v="])
def test_a_static_file_asked_for_without_its_version_is_asked_for_again(app, query):
    answer = app.test_client().get(f"/static/css/site.css{query}", base_url=PUBLIC, buffered=True)
    assert answer.headers["Cache-Control"] == "public, no-cache"
    assert answer.headers["ETag"]


@pytest.mark.parametrize("app_env", ["production", "testing"])
def test_a_file_that_is_not_there_has_no_version(app_env):
    app = small_app(**{**HTTPS, "APP_ENV": app_env})
    with app.test_request_context(base_url=PUBLIC):
        assert app.url_for("static", filename="css/nothing.css") == "/static/css/nothing.css"
        assert app.url_for("static", filename="../settings.py").startswith("/static/")
        assert "v=" not in app.url_for("static", filename="../settings.py")


@pytest.mark.asvs("13.4.3", "13.4.1")
@pytest.mark.parametrize(
    "path", ["/static/", "/static/css", "/static/css/", "/static/../settings.py", "/.git/config", "/.env"]
)
def test_no_folder_is_listed_and_nothing_outside_is_served(app, path):
    assert app.test_client().get(path, base_url=PUBLIC).status_code == 404
