"""Cookie sessions of signed-in browsers, on every store."""

import re
import secrets
from datetime import timedelta
from email.utils import parsedate_to_datetime

import msgspec
import pytest

from tests.http.conftest import MakeSite
from tests.http.session_sites import (
    KEEP_FOR,
    PLAIN,
    SECURE,
    Site,
    attributes,
    in_another_thread,
    set_cookies,
    signed_in_browser,
)
from webapp import clock
from webapp.http.cookie_sessions import BrowserSession, begin


@pytest.mark.asvs("3.3.1", "3.3.2", "3.3.3", "3.3.4")
@pytest.mark.parametrize(("https", "name", "expected"), [(False, "session", PLAIN), (True, "__Host-session", SECURE)])
@pytest.mark.parametrize("remember", [False, True])
def test_the_cookie_holds_an_id_and_stays_as_long_as_was_asked(
    make_site: MakeSite, https: bool, name: str, expected: set[str], remember: bool
) -> None:
    site = make_site(https=https)
    answer = site.browser().post("/sign-in", data={"remember": "1"} if remember else {})
    cookies = set_cookies(answer)
    assert list(cookies) == [name]
    assert re.match(r"[A-Za-z0-9_-]{43}; ", cookies[name])
    assert attributes(cookies[name]) == expected
    expires = re.search("Expires=([^;]+)", cookies[name])
    assert bool(expires) == remember
    if expires:
        assert abs(parsedate_to_datetime(expires[1]) - clock.now() - KEEP_FOR) < timedelta(seconds=30)


@pytest.mark.asvs("7.2.2")
def test_the_store_knows_a_hash_and_until_when_to_keep_the_bag(site: Site) -> None:
    sid = site.id_in(signed_in_browser(site))
    assert sid
    assert site.storage.keys() == [site.key_of(sid)]
    (over_at,) = site.storage.over_at()
    assert abs(over_at - clock.now() - KEEP_FOR) < timedelta(seconds=30)
    assert msgspec.msgpack.decode(site.storage.values()[0])["bag"] == {"user": "alice"}


def test_a_change_is_one_update_and_sets_no_cookie(site: Site) -> None:
    browser = signed_in_browser(site)
    before = site.storage.over_at()
    site.storage.calls()
    answer = browser.post("/keep", data={"seen": "yes"})
    assert sorted(site.storage.calls()) == (["get", "set"] if site.backend == "redis" else ["select", "update"])
    assert "Set-Cookie" not in answer.headers
    assert site.storage.over_at() == before
    assert browser.post("/keep", data={"seen": "yes"}).status_code == 200
    assert len(site.storage.calls()) == 1, "the same value again is no change"


def test_a_change_inside_a_list_is_kept_too(site: Site) -> None:
    browser = signed_in_browser(site)
    browser.post("/append")
    browser.post("/append")
    assert browser.get("/list").json == ["one more", "one more"]


def test_nothing_of_the_visitor_comes_along(site: Site) -> None:
    browser = site.browser()
    browser.get("/form")
    cookies = set_cookies(browser.post("/sign-in"))
    assert cookies["visitor"].startswith(";")
    assert site.visitor_cookie_in(browser) is None
    with browser.session_transaction() as bag:
        assert dict(bag) == {"user": "alice"}


@pytest.mark.asvs("7.2.4")
def test_a_planted_id_is_worth_nothing(site: Site) -> None:
    planted = secrets.token_urlsafe(32)
    browser = site.browser(planted)
    browser.post("/keep", data={"planted": "yes"})
    browser.post("/sign-in")
    assert site.id_in(browser) != planted
    assert site.browser(planted).get("/whoami").text == "nobody"


@pytest.mark.asvs("7.2.4")
@pytest.mark.parametrize("again", ["/sign-in", "/renew"])
def test_a_new_id_kills_the_old_one(site: Site, again: str) -> None:
    browser = signed_in_browser(site, remember="1")
    old, over_at = site.id_in(browser), site.storage.over_at()
    cookie = set_cookies(browser.post(again))["session"]
    assert site.id_in(browser) not in (None, old)
    assert browser.get("/whoami").text == "alice"
    assert site.browser(old).get("/whoami").text == "nobody"
    assert len(site.storage.keys()) == 1
    if again == "/renew":
        assert "Expires" in cookie
        assert site.storage.over_at() == over_at


def test_a_visitor_has_no_id_to_renew(site: Site) -> None:
    answer = site.browser().post("/renew")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert site.storage.keys() == []


@pytest.mark.asvs("7.4.1")
@pytest.mark.parametrize(("https", "expected"), [(False, PLAIN), (True, SECURE)])
def test_the_end_deletes_the_row_and_takes_both_cookies_back(
    make_site: MakeSite, https: bool, expected: set[str]
) -> None:
    site = make_site(https=https)
    browser = signed_in_browser(site)
    copied = site.id_in(browser)
    browser.set_cookie(site.visitor_cookie_name, "left over")
    cookies = set_cookies(browser.post("/sign-out"))
    assert set(cookies) == {site.cookie_name, site.visitor_cookie_name}
    assert all(cookie.startswith(";") and attributes(cookie) == expected for cookie in cookies.values())
    assert site.storage.keys() == []
    assert site.browser(copied).get("/whoami").text == "nobody"


def test_a_farewell_travels_as_a_visitors(site: Site) -> None:
    browser = signed_in_browser(site)
    browser.post("/sign-out", data={"farewell": "See you"})
    assert site.id_in(browser) is None
    assert site.storage.keys() == []
    assert browser.get("/messages").json == ["See you"]
    assert browser.get("/messages").json == []


def test_a_bag_that_was_emptied_is_over(site: Site) -> None:
    browser = signed_in_browser(site)
    browser.post("/clear")
    assert site.id_in(browser) is None
    assert site.storage.keys() == []


@pytest.mark.asvs("7.4.1")
def test_a_renewal_under_way_during_a_sign_out_makes_no_new_session(site: Site) -> None:
    browser = signed_in_browser(site)
    copied = site.id_in(browser)
    site.during_slow = lambda: in_another_thread(lambda: site.browser(copied).post("/sign-out"))
    assert "Set-Cookie" not in browser.post("/renew").headers
    assert site.storage.keys() == []


def test_a_late_answer_does_not_take_back_a_cookie_that_was_just_renewed(site: Site) -> None:
    browser = signed_in_browser(site)
    old = site.id_in(browser)
    browser.post("/renew")
    late = site.browser(old)
    for path in ("/whoami", "/form", "/messages"):
        assert "session" not in set_cookies(late.get(path))


def test_a_failed_request_leaves_the_bag_as_it_was(site: Site) -> None:
    browser = signed_in_browser(site)
    assert browser.post("/keep-and-fail", data={"user": "mallory"}).status_code == 500
    assert browser.get("/whoami").text == "alice"


@pytest.mark.parametrize("form", [{"sign_in": "1"}, {"sign_in": "1", "fail": "1"}])
def test_unfinished_work_neither_blocks_the_store_nor_survives(site: Site, form: dict[str, str]) -> None:
    browser = site.browser()
    answer = browser.post("/half-work", data=form)
    assert answer.status_code == (500 if "fail" in form else 200)
    assert site.notes() == []
    assert bool(site.id_in(browser)) == bool(site.storage.keys()) == ("fail" not in form)


def test_an_answer_that_depends_on_the_session_tells_caches(site: Site) -> None:
    browser = signed_in_browser(site)
    assert browser.get("/whoami").vary.as_set() == {"cookie"}
    assert not browser.get("/healthz").vary


@pytest.mark.asvs("7.2.3", "11.5.1")
def test_ids_are_long_and_never_come_twice() -> None:
    drawn = set()
    for _ in range(10_000):
        bag = BrowserSession()
        begin(bag, keep_until=clock.now(), persistent=False)
        drawn.add(bag.sid)
    assert len(drawn) == 10_000
    assert {len(sid or "") for sid in drawn} == {43}  # 256 bits in URL-safe base64
