"""Files that everybody may have, and those that nobody may."""

from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import NewApp
from tests.people import Browser
from tests.rows import on_sqlite
from webapp.http.static_files import SERVED

pytestmark = on_sqlite

OUTSIDE = ["instance/app.db", "webapp/settings.py", "settings.py", "etc/passwd", "pyproject.toml"]
CLIMBING = [
    "../",
    "../../",
    "%2e%2e/",
    "..%2f",
    "%2e%2e%2f%2e%2e%2f",
    "..%5c",
    "%252e%252e%252f",
    "....//",
    "/",
    "css/../../",
]
CARELESS = [
    "app.py",
    "app.db",
    "app.db-wal",
    "site.css.bak",
    "site.js.map",
    "css/old.css~",
    "notes",
    ".env",
    ".git/config",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A static folder in which somebody was careless."""
    for file in ("site.css", *CARELESS):
        path = tmp_path / "static" / file
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("careless")
    return tmp_path / "static"


@pytest.fixture
def app(new_app: NewApp, folder: Path) -> Flask:
    app = new_app()
    app.static_folder = str(folder)
    return app


@pytest.mark.asvs("13.4.7", "13.4.1")
def test_what_does_not_belong_in_the_folder_is_not_served(browser: Browser) -> None:
    for file in CARELESS:
        answer = browser.get(f"/static/{file}", buffered=True)
        assert answer.status_code == 404, file
        assert "careless" not in answer.text
    assert browser.get("/static/site.css", buffered=True).text == "careless"


@pytest.mark.asvs("13.4.7")
def test_everything_in_our_folder_is_of_a_kind_that_is_served(new_app: NewApp) -> None:
    ours = Path(new_app().static_folder or "")
    assert {file.suffix for file in ours.rglob("*") if file.is_file()} <= SERVED


@pytest.mark.asvs("5.3.2")
def test_no_path_leads_out_of_the_folder(new_app: NewApp) -> None:
    browser = Browser(new_app())
    for path in (f"/static/{climb}{file}" for climb in CLIMBING for file in OUTSIDE):
        answer = browser.get(path, buffered=True)
        assert answer.status_code in (308, 400, 404), path
        assert "SECRET_KEY" not in answer.text
        assert "root:" not in answer.text


NOTHING_THERE = [
    *("/.git/config", "/.git/HEAD", "/.svn/entries", "/.hg/store", "/.env", "/.DS_Store", "/instance/secret_key"),
    *("/instance/app.db", "/wsgi.py", "/requirements.txt", "/static", "/static/", "/static/css", "/static/css/"),
    *("/static/.git/", "/static/.", "/instance/mail/"),
]


@pytest.mark.asvs("13.4.1", "13.4.3")
def test_nothing_of_the_repository_or_the_machine_is_there(new_app: NewApp) -> None:
    browser = Browser(new_app())
    for path in NOTHING_THERE:
        answer = browser.get(path, buffered=True)
        assert answer.status_code == 404, path
        assert "<h1" in answer.text


LOOKS = [
    "/x.css",
    "/site.js",
    ";.js",
    "%2fx.png",
    "%3b.css",
    "/sessions/a.svg",
    "%00.css",
    "%0a.css",
    "/../static/x.css",
]


@pytest.mark.asvs("14.2.5")
def test_an_address_that_looks_like_a_file_shows_no_page_of_an_account(alice: str, browser: Browser) -> None:
    browser.sign_in(alice)
    for look in LOOKS:
        answer = browser.get(f"/account{look}", buffered=True)
        assert answer.status_code in (400, 404), look
        assert answer.headers["Cache-Control"] == "no-store"
        assert alice not in answer.text
