"""Text that is code to somebody: browsers, templates, mail programs, log files. Here it is text."""

import json
from html import unescape

import pytest
from flask import Flask

from tests.conftest import NewApp, NewBrowser
from tests.factors import verify, with_totp
from tests.journeys.pages import words
from tests.people import PASSWORD, Browser, Mailbox
from tests.rows import Rows, on_sqlite
from tests.whole_site import Page
from webapp.policy.names import LONGEST_NAME, clean_name

NAMES = {
    "markup": '"><script>alert(1)</script>',
    "an attribute": "' onmouseover='alert(1)",
    "a closing tag": "</script></title><img src=x onerror=alert(1)>",
    "a template": "{{7*7}} {% raw %} ${7*7} #{7*7}",
    "format codes": "{0.__class__} %s%n %(email)s %d",
    "encoded twice": "%2527 %253Cscript%253E &amp;lt;b&amp;gt; &#x26;lt;",
    "a line separator": "a\u2028b </script>",
    "emphasis": "<b>Alice</b> & <i>Bob</i>",
    "an older script": "안녕 <svg/onload=alert(1)>",
}
SHOWN = {name: " ".join(text.split()) for name, text in NAMES.items()}
PLAIN = "Alice"


def values(page: str) -> list[str]:
    """What stands in the fields of a page."""
    return [field.value for _, fields in Page(page).forms for field in fields.values()]


@on_sqlite
@pytest.mark.asvs("1.2.1", "1.3.7", "1.3.10", "1.1.1")
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_name_is_shown_as_it_was_typed_wherever_it_is_shown(
    alice: str, new_browser: NewBrowser, rows: Rows, mailbox: Mailbox, language: str
) -> None:
    browser, visitor = new_browser(language=language), new_browser(language=language)
    browser.sign_in(alice)
    tags: dict[str, list[object]] = {}
    for what, text in {"plain": PLAIN, **NAMES}.items():
        name = SHOWN.get(what, PLAIN)
        email = f"{what.replace(' ', '.')}@example.com"
        assert browser.submit("/account", name=text, locale=language).status_code == 303
        assert visitor.submit("/register", email=email, password=PASSWORD, name=text).status_code == 200
        assert rows.user(alice).name == rows.user(email).name == name
        profile = browser.get("/account").text
        confirming = visitor.get(mailbox.link(email, "/verify-email/"))
        refused = visitor.post("/register", {"name": text, "email": "x@example.com"})
        export = browser.submit("/account/data", "/account/data/export")
        assert name in values(profile)
        assert name in words(confirming)
        assert refused.status_code == 400
        assert " ".join(name.split()) in words(refused)
        assert json.loads(export.data)["account"]["name"] == name
        html = [mail.get_body(("html",)).get_content() for mail in mailbox.mails(email)]
        tags[what] = [Page(page).tags for page in (profile, confirming.text, refused.text, *html)]
    assert [what for what, found in tags.items() if found != tags["plain"]] == [], "markup arose from a name"


@on_sqlite
@pytest.mark.asvs("1.1.1")
def test_what_is_sent_is_decoded_once(alice: str, browser: Browser, rows: Rows) -> None:
    browser.sign_in(alice)
    token = Page(browser.get("/account").text).forms[-1][1]["csrf_token"].value
    form = "application/x-www-form-urlencoded"
    for sent, stored in {"%2527": "%27", "%25252e": "%252e", "%26amp%3Blt%3B": "&amp;lt;", "a%2Bb+c": "a+b c"}.items():
        body = f"csrf_token={token}&locale=en&name={sent}".encode()
        assert browser.post("/account", body, content_type=form).status_code == 303
        assert rows.user(alice).name == stored
        shown = browser.get("/account").text
        assert stored in values(shown)
        assert unescape(stored) == stored or stored not in shown  # what could be read as markup was encoded once more


@on_sqlite
@pytest.mark.asvs("1.1.1", "1.2.2", "3.7.2")
def test_a_next_that_was_encoded_twice_leads_nowhere_else(alice: str, new_browser: NewBrowser) -> None:
    for target in ("/%252e%252e/evil", "/%255cevil.example", "%252f%252fevil.example", "/&amp;lt;"):
        answer = new_browser().sign_in(alice, next=target)
        assert answer.status_code == 303
        assert answer.location.startswith("/account") or answer.location == target
        assert not answer.location.startswith(("//", "/\\"))


@on_sqlite
@pytest.mark.asvs("1.2.1", "1.3.3")
def test_a_name_is_one_line_and_turns_no_text_around(alice: str, browser: Browser, rows: Rows) -> None:
    browser.sign_in(alice)
    typed = " \u202eecilA\u202c\r\nBcc: evil@example.com\t\u2066x\u2069 "
    assert browser.submit("/account", name=typed, locale="en").status_code == 303
    assert rows.user(alice).name == "ecilA Bcc: evil@example.com x"
    assert clean_name("a" * LONGEST_NAME + " b") == "a" * LONGEST_NAME
    assert clean_name("x " * LONGEST_NAME) == ("x " * (LONGEST_NAME // 2)).rstrip()


@on_sqlite
@pytest.mark.asvs("1.2.1")
@pytest.mark.parametrize("door", ["/login", "/password/forgot", "/register"])
def test_an_address_that_is_markup_comes_back_as_text(browser: Browser, door: str) -> None:
    typed = '"><script>alert(1)</script>@example.com'
    plain = browser.submit(door, email="nobody", password="x", name="x")
    answer = browser.submit(door, email=typed, password="x", name="x")
    assert answer.status_code == plain.status_code
    assert typed in (*values(answer.text), words(answer)) or typed in words(answer)
    assert Page(answer.text).tags == Page(plain.text).tags


@on_sqlite
@pytest.mark.asvs("1.3.7", "1.3.10")
def test_the_name_of_the_site_is_no_template_either(new_app: NewApp) -> None:
    app = new_app(SITE_NAME="{{7*7}} %(email)s <b>")
    browser = Browser(app)
    browser.submit("/register", email="bob@example.com", password=PASSWORD, name="Bob")
    assert "{{7*7}} %(email)s <b>" in words(browser.get("/"))
    assert "{{7*7}} %(email)s <b>" in str(Mailbox(app).newest("bob@example.com")["Subject"])


@on_sqlite
@pytest.mark.asvs("16.2.1")
def test_what_a_request_calls_a_factor_is_not_blanked_where_the_log_calls_it_so(
    app: Flask, alice: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with_totp(app, alice)
    browser = Browser(app)
    browser.sign_in(alice)
    verify(browser, "not a code")
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "second_factor_failed" in line]
    assert "factor=totp" in line
    assert "not a code" not in line
