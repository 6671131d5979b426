"""The page that reads the document to people."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.blueprints.api.calls import BASE_URL, Site
from tests.people import Browser
from webapp.blueprints.api.docs_page import operations_of
from webapp.http.headers import PAGE_CSP
from webapp.http.problems import explained_codes, told_codes

DOCS = "/api/v1/docs"


class Page(HTMLParser):
    """Its ids, links, headings and tags, and its text with the language each piece is marked with."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.levels: list[int] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.tags.append((tag, values))
        self.ids += [str(values["id"])] if "id" in values else []
        self.links += [str(values[name]) for name in ("href", "src") if name in values]
        if tag in ("h1", "h2", "h3", "h4"):
            self.levels.append(int(tag[1]))


@pytest.fixture(scope="module")
def text(site: Site) -> str:
    """The page as a visitor gets it."""
    answer = Browser(site.app).get(DOCS)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    return answer.text


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    """What is on it."""
    return Page(text)


@pytest.fixture(scope="module")
def document(site: Site) -> dict[str, Any]:
    """openapi.json."""
    found: dict[str, Any] = site.send("GET", "/openapi.json").json
    return found


def test_every_code_has_its_anchor(page: Page) -> None:
    assert len(set(page.ids)) == len(page.ids)
    assert set(told_codes()) <= set(page.ids)


def test_every_call_has_its_anchor(page: Page, document: dict[str, Any]) -> None:
    calls = [operation for _, _, operation in operations_of(document)]
    assert len(calls) >= 19
    assert {f"call-{call['operationId']}" for call in calls} <= set(page.ids)


def test_every_link_on_the_page_leads_to_something(page: Page, site: Site) -> None:
    browser = Browser(site.app)
    within = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert within <= set(page.ids)
    for link in {link for link in page.links if not link.startswith(("#", "?"))}:
        assert urlsplit(link).netloc == "", "another host"
        assert browser.get(link, buffered=True).status_code == 200, link


def test_every_member_and_every_limit_stands_on_the_page(text: str, document: dict[str, Any]) -> None:
    plain = text.replace("<wbr>", "")
    for schema in document["components"]["schemas"].values():
        for name in schema["properties"]:
            if schema is not document["components"]["schemas"]["ProblemReply"] and name != "pointer":
                assert f">{name}<" in plain or name in ("parameter", "detail"), name
    assert "1 to 254 characters" in plain
    assert "one of: body, cookie" in plain
    assert "1 to 100; if left out: 20" in plain


@pytest.mark.asvs("3.4.3")
def test_it_is_a_page_like_every_other(page: Page, site: Site) -> None:
    answer = Browser(site.app).get(DOCS)
    assert answer.headers["Content-Security-Policy"] == PAGE_CSP
    assert [tag for tag, values in page.tags if tag == "style" or "style" in values] == []
    assert [values for tag, values in page.tags if tag == "script" and "src" not in values] == []
    assert [name for _, values in page.tags for name in values if name.startswith("on")] == []
    assert "Set-Cookie" not in answer.headers


def test_its_headings_are_in_order(page: Page) -> None:
    assert page.levels.count(1) == 1
    assert page.levels[0] == 1
    assert all(after <= before + 1 for before, after in zip(page.levels, page.levels[1:], strict=False))


def test_it_speaks_the_language_of_its_reader_and_marks_what_is_english_all_the_same(site: Site) -> None:
    browser = Browser(site.app, language="ko")
    korean = browser.get(DOCS).text
    with site.app.test_request_context(headers={"Accept-Language": "ko"}):
        told = [code["text"] for code in explained_codes()]
    assert '<html lang="ko">' in korean
    assert all(text in korean for text in told)
    assert '<p lang="en" class="docs-summary">Sign in with address and password.</p>' in korean


def test_a_link_chooses_its_language(site: Site) -> None:
    browser = Browser(site.app)
    answer = browser.get(f"{DOCS}?lang=ko")
    assert (answer.status_code, answer.location) == (303, DOCS)
    assert '<html lang="ko">' in browser.get(DOCS).text


def test_its_first_steps_name_this_site(text: str) -> None:
    for path in ("/auth/login", "/me", "/auth/refresh", "/auth/logout"):
        assert f"{BASE_URL}/api/v1{path} \\" in text
