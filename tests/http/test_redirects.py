"""Where `next` may lead."""

import re
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.people import PASSWORD
from tests.rows import on_sqlite
from tests.whole_site import Page
from webapp.http.redirects import safe_next, see_other

ELSEWHERE = [
    "",
    None,
    "https://evil.example",
    "http:evil.example",
    "HTTPS://evil.example/account",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\\/evil.example",
    "/%5cevil.example",
    "/%5C%5Cevil.example",
    "/%2fevil.example",
    "/%2F/evil.example",
    "%2f%2fevil.example",
    "/\t/evil.example",
    "/%09/evil.example",
    "/\n/evil.example",
    "/%0a/evil.example",
    "\t//evil.example",
    " //evil.example",
    " /account",
    "/account evil",
    "/%00//evil.example",
    "/account\x00",
    "/account\r\nSet-Cookie: a=b",
    "/account%0d%0aSet-Cookie:%20a=b",
    "javascript:alert(1)",
    "/javascript:%0aalert(1)//",
    "data:text/html,hi",
    "account",
    "?next=/account",
    "#account",
    "@evil.example",
    "evil.example",
    ".evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/account/../../evil",
    "/%2e%2e/evil",
    "/account//evil.example",
    "/login",
    "/login?next=/account",
    "/login/",
    "/LOGIN",
    "/%6cogin",
    "/login;x=1",
    "/logout",
    "/logout#x",
    "/account\ud800",
    "/account%ff",
    "/account\u2028",
    "/" + "a" * 2001,
]
HERE = [
    "/",
    "/account",
    "/account/",
    "/account/sessions?page=2",
    "/account/activity?older=01234567#now",
    "/account?back=https://elsewhere.example",
    "/계정",
    "/account?q=a%20b",
    "/account?q=%ED%95%9C",
    "/login-help",
    "/@someone",
]


@pytest.mark.asvs("3.7.2", "1.2.2", "1.1.1")
@pytest.mark.parametrize("target", ELSEWHERE)
def test_a_next_that_leads_elsewhere_becomes_the_default(target):
    assert safe_next(target, "/account") == "/account"


@pytest.mark.parametrize("target", HERE)
def test_a_next_on_this_site_is_followed_as_it_stands(target):
    assert safe_next(target, "/default") == target


@given(st.text(alphabet="/\\%25cfF0aA.:@?#e \t\n", max_size=12))
def test_whatever_is_followed_begins_with_one_slash(target):
    found = safe_next(target, "/default")
    assert found.startswith("/")
    assert not found.startswith(("//", "/\\"))


@pytest.mark.asvs("1.1.1")
def test_next_is_decoded_once_and_no_more():
    assert safe_next("/a%255cb", "/default") == "/a%255cb"


def test_the_answer_to_a_done_post_is_fetched_with_get():
    response = see_other("/account")
    assert (response.status_code, response.location) == (303, "/account")


def where_browsers_go(target: str) -> str:
    """The host that a browser on https://login.example.com goes to, by the URL Standard: ends stripped of spaces and
    controls, tabs and line breaks taken out anywhere, a backslash as good as a slash.
    """
    seen = re.sub(r"[\t\r\n]", "", target.strip("".join(map(chr, range(0x21))))).replace("\\", "/")
    if scheme := re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", seen):
        rest = seen[scheme.end() :].lstrip("/")
        return re.split(r"[/?#]", rest)[0].rpartition("@")[2] if scheme[0].lower() in ("http:", "https:") else scheme[0]
    if seen.startswith("//"):
        return re.split(r"[/?#]", seen.lstrip("/"))[0].rpartition("@")[2]
    return "login.example.com"


@pytest.mark.asvs("1.5.3")
def test_the_reading_of_browsers_is_known_here():
    assert where_browsers_go("https://good.example\\@evil.example") == "good.example"
    assert where_browsers_go("https://good.example@evil.example/x") == "evil.example"
    assert where_browsers_go("/\t/evil.example") == where_browsers_go(" \\/evil.example") == "evil.example"
    assert where_browsers_go("javascript:alert(1)") == "javascript:"
    assert where_browsers_go("/account?x=//evil.example") == "login.example.com"


@pytest.mark.asvs("1.5.3", "3.7.2")
@pytest.mark.parametrize(
    "target", [*filter(None, ELSEWHERE), "https://good.example\\@evil.example", "/\\@evil.example"]
)
def test_what_readers_understand_differently_is_refused(target):
    followed = safe_next(target, "/default")
    assert where_browsers_go(followed) == "login.example.com"
    assert urlsplit(urljoin("https://login.example.com/login", followed)).netloc == "login.example.com"
    if where_browsers_go(target) != "login.example.com":
        assert followed == "/default"


@pytest.mark.asvs("1.5.3")
@given(st.text(alphabet="/\\%25cfF0aA.:@?#e \t\n\r\x00hts", max_size=14))
def test_whatever_is_followed_stays_here_however_it_is_read(target):
    followed = safe_next(target, "/default")
    for read in (followed, unquote(followed)):
        assert where_browsers_go(read) == "login.example.com"
        assert urlsplit(urljoin("https://login.example.com/a", read)).netloc == "login.example.com"


# At the doors


HOSTILE = [
    *("https://evil.example", "//evil.example", "/\\evil.example", "http:evil.example", "\t//evil.example"),
    *("javascript:alert(1)", "data:text/html,hi", "/%5cevil.example", "https://good.example\\@evil.example"),
    *("/logout", "/login?next=/login"),
]


@pytest.fixture
def app(new_app):
    return new_app(PUBLIC_URL="https://login.example.com")


@on_sqlite
@pytest.mark.asvs("3.7.2", "1.2.2")
def test_no_door_sends_anybody_elsewhere(alice, new_browser):
    browser = new_browser()
    for target in HOSTILE:
        page = browser.get("/login", query_string={"next": target})
        assert all(not link.startswith(("javascript", "data", "//", "http")) for link in Page(page.text).links), target
        assert browser.sign_in(alice, next=target).location == "/account", target
        opened = browser.get("/login", query_string={"next": target})
        assert opened.location == "/account" or opened.status_code == 400, target
        again = browser.submit("/reauthenticate", password=PASSWORD, next=target)
        assert again.location == "/account", target
        assert browser.sign_out().location == "/"
        browser.sign_in(alice)
        assert browser.submit("/account/data", "/account/data/delete").location == "/"
        assert browser.sign_in(alice, next=target).location == "/login/keep"
        assert browser.submit("/login/keep").location == "/account", target
        assert browser.sign_out().location == "/"


@on_sqlite
@pytest.mark.asvs("3.7.2")
def test_a_forged_host_is_in_no_location_and_in_no_mail(alice, new_browser, mailbox):
    browser = new_browser()
    forged = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "X-Host": "evil.example"}
    assert browser.get("/account", headers=forged).location == "/login?next=/account"
    assert browser.get("/account", headers={"Host": "evil.example"}).status_code == 400
    token = Page(browser.get("/password/forgot").text).forms[0][1]["csrf_token"].value
    assert browser.post("/password/forgot", {"csrf_token": token, "email": alice}, headers=forged).status_code == 200
    text = mailbox.newest(alice).get_body(("plain",)).get_content()
    assert "https://login.example.com/password/reset/" in text
    assert "evil" not in text


@on_sqlite
@pytest.mark.asvs("1.2.2")
def test_what_is_put_into_an_address_is_encoded(alice, new_browser):
    browser = new_browser()
    location = browser.get("/account/activity?before=a%26b%3Dc%23d%20e").location
    assert location == "/login?next=/account/activity?before%3Da%2526b%253Dc%2523d%2520e"
    assert browser.get(location).status_code == 200
    assert Page(browser.get(location).text).forms[0][1]["next"].value == "/account/activity?before=a%26b%3Dc%23d%20e"
