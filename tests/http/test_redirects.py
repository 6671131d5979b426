"""Where `next` may lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
