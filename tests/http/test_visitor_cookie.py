"""The bag of somebody who is not signed in, cookies that are none of ours, and paths without a session."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Response
from flask_babel import LazyString
from flask_login import LoginManager, current_user
from flask_wtf.csrf import CSRFProtect, generate_csrf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markupsafe import Markup
from structlog.testing import capture_logs

from tests.http.conftest import MakeSite
from tests.http.session_sites import PLAIN, SECURE, Site, attributes, set_cookies, signed_in_browser
from webapp import clock
from webapp.http.cookie_sessions import UnopenedSession, begin, opens_session
from webapp.http.visitor_cookie import VISITOR_BAG_LIFE, VISITOR_COOKIE_LENGTH, VisitorCookie
from webapp.settings import Settings


@pytest.fixture
def backend() -> str:
    """One store is enough here: nothing of this reaches it."""
    return "sqlite"


def test_a_page_that_keeps_nothing_sets_nothing(site: Site) -> None:
    for path in ("/plain", "/whoami", "/nowhere"):
        assert "Set-Cookie" not in site.browser().get(path).headers
    assert site.storage.calls() == []


@pytest.mark.asvs("3.3.1", "3.3.2", "3.3.3", "3.3.4")
@pytest.mark.parametrize(("https", "name", "expected"), [(False, "visitor", PLAIN), (True, "__Host-visitor", SECURE)])
def test_the_bag_travels_in_a_signed_cookie_until_the_browser_closes(
    make_site: MakeSite, https: bool, name: str, expected: set[str]
) -> None:
    site = make_site(https=https)
    browser = site.browser()
    cookies = set_cookies(browser.get("/form"))
    assert list(cookies) == [name]
    assert attributes(cookies[name]) == expected
    assert "Expires" not in cookies[name]
    assert "Max-Age" not in cookies[name]
    assert browser.get("/form").text == "a secret of this form"
    assert site.storage.calls() == []


def test_the_cookie_is_written_only_when_the_bag_changed(site: Site) -> None:
    browser = site.browser()
    assert "Set-Cookie" in browser.get("/form").headers
    assert "Set-Cookie" not in browser.get("/form").headers
    assert "Set-Cookie" in browser.post("/keep", data={"next": "/account"}).headers


@pytest.mark.parametrize(("https", "expected"), [(False, PLAIN), (True, SECURE)])
def test_the_cookie_goes_when_the_bag_is_emptied(make_site: MakeSite, https: bool, expected: set[str]) -> None:
    site = make_site(https=https)
    browser = site.browser()
    browser.post("/keep", data={"next": "/account"})
    cookies = set_cookies(browser.post("/forget", data={"key": "next"}))
    assert cookies[site.visitor_cookie_name].startswith(";")
    assert attributes(cookies[site.visitor_cookie_name]) == expected
    assert site.visitor_cookie_in(browser) is None


def test_a_cookie_that_was_tampered_with_is_an_empty_bag(site: Site) -> None:
    browser = site.browser()
    browser.post("/keep", data={"next": "/account"})
    value = site.visitor_cookie_in(browser)
    assert value
    # Not the last character: some of its bits stand for nothing.
    other = value[:-5] + ("A" if value[-5] != "A" else "B") + value[-4:]
    for forged in (other, "A" + value, value.split(".")[0]):
        browser.set_cookie(site.visitor_cookie_name, forged)
        with browser.session_transaction() as bag:
            assert dict(bag) == {}


def test_a_cookie_is_an_empty_bag_when_it_is_too_old(site: Site) -> None:
    browser = site.browser()
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC), tick=False) as traveller:
        browser.post("/flash", data={"message": "kept"})
        traveller.shift(VISITOR_BAG_LIFE)
        with browser.session_transaction() as bag:
            assert bag["_flashes"] == [["info", "kept"]]
        traveller.shift(timedelta(seconds=1))
        with browser.session_transaction() as bag:
            assert dict(bag) == {}


def test_a_cookie_outlives_a_change_of_the_secret_key() -> None:
    old, new, other = ("old key " * 5, "new key " * 5, "other key " * 5)
    value = VisitorCookie(Settings(SECRET_KEY=old)).seal({"next": "/account"})
    assert value
    assert VisitorCookie(Settings(SECRET_KEY=new, SECRET_KEY_FALLBACKS=(other, old))).open(value) == {
        "next": "/account"
    }
    assert VisitorCookie(Settings(SECRET_KEY=new, SECRET_KEY_FALLBACKS=(other,))).open(value) is None
    renewed = VisitorCookie(Settings(SECRET_KEY=new, SECRET_KEY_FALLBACKS=(old,))).seal({})
    assert renewed
    assert VisitorCookie(Settings(SECRET_KEY=new)).open(renewed) == {}


def test_messages_are_dropped_first_when_the_bag_is_too_long_for_a_cookie(site: Site) -> None:
    browser = site.browser()
    browser.post("/keep", data={"next": "/account"})
    with capture_logs() as log:
        browser.post("/flash", data={"message": secrets.token_urlsafe(VISITOR_COOKIE_LENGTH)})
    assert [entry["event"] for entry in log] == ["visitor_flashes_dropped"]
    with browser.session_transaction() as bag:
        assert dict(bag) == {"next": "/account"}


def test_a_bag_too_long_for_a_cookie_stays_as_it_was(site: Site) -> None:
    browser = site.browser()
    browser.post("/keep", data={"next": "/account"})
    with capture_logs() as log:
        answer = browser.post("/keep", data={"next": "/" + "a" * VISITOR_COOKIE_LENGTH})
    assert [entry["event"] for entry in log] == ["visitor_bag_refused"]
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    with browser.session_transaction() as bag:
        assert dict(bag) == {"next": "/account"}


def test_a_visitor_cookie_signs_nobody_in_whoever_signed_it(site: Site) -> None:
    forged = VisitorCookie(Settings(SECRET_KEY=site.app.secret_key)).seal({"_user_id": "1", "next": "/"})
    assert forged
    browser = site.browser()
    browser.set_cookie(site.visitor_cookie_name, forged)
    with browser.session_transaction() as bag:
        assert dict(bag) == {"next": "/"}


def test_a_translated_or_marked_up_message_is_kept_as_text(site: Site) -> None:
    browser = site.browser()
    with browser.session_transaction() as bag:
        bag["_flashes"] = [("info", LazyString(lambda: "later")), ("info", Markup("<b>marked</b>"))]
    assert browser.get("/messages").json == ["later", "<b>marked</b>"]


def test_what_no_session_can_hold_is_an_error_and_not_lost_in_silence(site: Site) -> None:
    with pytest.raises(TypeError, match="cannot hold a Response"), site.browser().session_transaction() as bag:
        bag["answer"] = Response()


@pytest.mark.parametrize("name", ["session", "visitor"])
@pytest.mark.parametrize(
    "value",
    [
        *("", "a", "=", ";", '"', "\\", "a" * 42, "a" * 44, "-" * 43, "a" * 8000, "a\x00" + "b" * 41),
        *("é" * 43, "세션" * 20, "\udcff" * 43, "%00" * 15, '"\\377"', "..", "a.b.c", ".eJw.x.y", "{}", "\u202e"),
    ],
)
def test_a_value_that_we_never_set_is_no_cookie(site: Site, name: str, value: str) -> None:
    header = f"{name}={value}".encode("utf-8", "surrogateescape").decode("latin-1")
    answer = site.app.test_client().get("/whoami", headers={"Cookie": header})
    assert (answer.status_code, answer.text) == (200, "nobody")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    header=st.binary(max_size=300).map(lambda junk: junk.decode("latin-1")),
    name=st.sampled_from(["session", "visitor"]),
)
def test_no_cookie_header_breaks_a_page(site: Site, header: str, name: str) -> None:
    for whole in (header, f"{name}={header}"):
        environ = {"HTTP_COOKIE": whole}
        assert site.app.test_client().post("/keep", data={"seen": "yes"}, environ_overrides=environ).status_code == 200


def test_of_two_cookies_with_one_name_none_is_believed(site: Site) -> None:
    sid = site.id_in(signed_in_browser(site))
    other = secrets.token_urlsafe(32)
    client = site.app.test_client(use_cookies=False)
    assert client.get("/whoami", headers={"Cookie": f"session={sid}"}).text == "alice"
    for pair in (f"session={sid}; session={other}", f"session={other}; session={sid}"):
        assert client.get("/whoami", headers={"Cookie": pair}).text == "nobody"


@pytest.mark.parametrize(
    ("path", "opens"),
    [
        *(("/static/css/site.css", False), ("/api/v1/me", False), ("/.well-known/change-password", False)),
        *(("/healthz", False), ("/readyz", False), ("/metrics", False)),
        *(("/", True), ("/login", True), ("/apiary", True), ("/healthz/x", True), ("/account/static/", True)),
    ],
)
def test_which_paths_open_a_session(path: str, opens: bool) -> None:
    assert opens_session(path) == opens


def test_a_path_without_session_reads_nothing_and_sets_nothing(site: Site) -> None:
    browser = signed_in_browser(site)
    site.storage.calls()
    for path in ("/healthz", "/api/v1/form", "/static/nowhere.css"):
        assert "Set-Cookie" not in browser.get(path).headers
    assert site.storage.calls() == []


def test_extensions_that_look_for_a_session_get_along_without_one(site: Site) -> None:
    login_manager = LoginManager(site.app)
    login_manager.user_loader(str)
    CSRFProtect(site.app)

    @site.app.errorhandler(404)
    def page_with_a_form(_error: Exception) -> tuple[str, int]:
        return f"{current_user.is_authenticated} {bool(generate_csrf())}", 404

    answer = site.browser().get("/static/nowhere.css")
    assert (answer.status_code, answer.text) == (404, "False True")
    assert "Set-Cookie" not in answer.headers
    assert answer.vary.as_set() == set()


def test_nobody_can_be_signed_in_on_a_path_without_session() -> None:
    with pytest.raises(TypeError):
        begin(UnopenedSession(), keep_until=clock.now(), persistent=False)
