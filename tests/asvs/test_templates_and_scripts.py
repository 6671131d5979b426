"""What templates, styles and scripts must not hold, read as text; and what each page of a signed-in person shows."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import nodes
from sqlalchemy import update
from werkzeug.test import TestResponse

from tests.asvs.test_documentation import form_fields
from tests.conftest import NewUser
from tests.people import Browser, Mailbox
from tests.rows import on_sqlite
from tests.source import PACKAGE, modules
from webapp.http.cookie_sessions import opens_session
from webapp.http.visitor_cookie import VisitorCookie
from webapp.models import Base, User
from webapp.services.transaction import transaction

TEMPLATES = PACKAGE / "templates"
STATIC = PACKAGE / "static"
SCRIPTS = sorted(STATIC.rglob("*.js"))


def templates() -> list[Path]:
    """Every template, those of mails included."""
    return sorted(file for file in TEMPLATES.rglob("*") if file.is_file())


def pages() -> list[Path]:
    """Every template that becomes a page."""
    return [file for file in templates() if file.suffix == ".html" and "email" not in file.relative_to(TEMPLATES).parts]


def named(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def code_of(script: Path) -> str:
    """A script without its comments."""
    return re.sub(r"(?ms)/\*\*.*?\*/|^\s*//[^\n]*$| // [^\n]*$", "", script.read_text(encoding="utf-8"))


class Tags(HTMLParser):
    """The tags of a page, each with its attributes, and the texts of its scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inline: list[str] = []
        self._within = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attributes}))
        self._within = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within and data.strip():
            self.inline.append(data)


# Every page there is, as its people see it


@pytest.fixture
def signed_in_pages(app: Flask, new_user: NewUser) -> dict[str, TestResponse]:
    """Every page of a signed-in person, and every page that refuses them something."""
    browser = Browser(app)
    browser.sign_in(new_user())
    ways = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments]
    answers = {rule.rule: browser.get(rule.rule) for rule in ways}
    answers |= {
        "404": browser.get("/nowhere"),
        "405": browser.get("/logout"),
        "400 without a token": browser.post("/account", {"name": "A"}),
        "403 from another site": browser.post("/account", {}, headers={"Sec-Fetch-Site": "cross-site"}),
        "400 twice": browser.get("/account?a=1&a=2"),
        "413": browser.post("/account", {"name": "a" * 70_000}),
        "415": browser.post("/account", "{}", headers={"Content-Type": "application/json"}),
        "410": browser.get("/password/reset/" + "x" * 43),
        "422": browser.submit("/account", name="x" * 101, locale="en"),
    }
    pages = {way: answer for way, answer in answers.items() if answer.mimetype == "text/html" and not answer.location}
    return {way: answer for way, answer in pages.items() if opens_session(way)}


@pytest.fixture
def anonymous_pages(app: Flask, mailbox: Mailbox) -> dict[str, TestResponse]:
    """Every page that asks somebody who is not signed in for something."""
    browser = Browser(app)
    first = browser.submit("/register", email="a@example.com", password="seven quiet otters crossing", name="A")
    assert first.status_code == 200
    confirm = mailbox.link("a@example.com", "/verify-email/")
    assert browser.submit("/password/forgot", email="a@example.com").status_code == 200
    reset = mailbox.link("a@example.com", "/password/reset/")
    ways = ["/", "/register", "/login", "/password/forgot", confirm, reset]
    return {"check your mail": first, **{way: browser.get(way) for way in ways}}


@on_sqlite
@pytest.mark.asvs("7.4.4")
def test_every_page_of_a_signed_in_person_has_a_visible_way_out(signed_in_pages: dict[str, TestResponse]) -> None:
    assert len(signed_in_pages) >= 16
    assert {answer.status_code for answer in signed_in_pages.values()} >= {200, 400, 403, 404, 405, 410, 413, 422}
    for page, answer in signed_in_pages.items():
        form = re.search(r'<form method="post"[^>]*action="/logout".*?</form>', answer.text, re.DOTALL)
        assert form is not None, page
        assert re.search(r'name="csrf_token" value="[^"]+"', form[0]), page
        assert "Sign out" in form[0], page
        assert "hidden>" not in re.sub(r'type="hidden"', "", form[0]), page


@on_sqlite
@pytest.mark.asvs("7.4.4")
def test_the_way_out_of_an_error_page_works(app: Flask, alice: str) -> None:
    browser = Browser(app)
    browser.sign_in(alice)
    assert browser.submit("/nowhere", "/logout").status_code == 303
    assert not browser.is_signed_in
    assert "/logout" not in browser.get("/nowhere").text


@on_sqlite
@pytest.mark.asvs("6.2.6", "6.2.7", "1.2.3", "3.6.1", "3.7.1")
def test_no_page_of_the_anonymous_breaks_a_rule(app: Flask, anonymous_pages: dict[str, TestResponse]) -> None:
    seen = [field for way, answer in anonymous_pages.items() for field in judged(app, way, answer)]
    assert {"username", "new-password", "current-password"} <= {field["autocomplete"] for field in seen}


@on_sqlite
@pytest.mark.asvs("6.2.6", "6.2.7", "1.2.3", "3.6.1", "3.7.1")
def test_no_page_of_a_signed_in_person_breaks_a_rule(app: Flask, signed_in_pages: dict[str, TestResponse]) -> None:
    seen = [field for way, answer in signed_in_pages.items() for field in judged(app, way, answer)]
    told = {(field["name"], field["autocomplete"]) for field in seen}
    assert told >= {
        ("current_password", "current-password"),
        ("new_password", "new-password"),
        ("password", "current-password"),
    }


def judged(app: Flask, way: str, answer: TestResponse) -> Iterator[dict[str, str]]:
    """The fields of a page, which keeps every rule of these."""
    page = Tags(answer.text)
    passwords = {field for _, field, made in form_fields(app) if type(made).__name__ == "Password"}
    assert page.inline == [], way
    for tag, attributes in page.tags:
        assert tag not in ("object", "embed", "applet", "iframe", "base", "style"), way
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (way, tag)
        for address in (attributes.get("src"), attributes.get("href") if tag == "link" else None):
            assert address is None or re.match(r"/(?!/)", address), (way, address)
        if tag == "script":
            assert attributes["src"].startswith("/static/")
            assert attributes["type"] == "module"
        if tag == "input" and attributes["type"] not in ("hidden", "checkbox"):
            is_password = attributes["name"] in passwords
            assert (attributes["type"] == "password") == is_password, (way, attributes["name"])
            assert not is_password or attributes["autocomplete"] in ("current-password", "new-password"), way
            assert "onpaste" not in attributes
            yield attributes


@on_sqlite
@pytest.mark.asvs("3.7.3")
def test_no_page_leads_out_of_this_site(
    signed_in_pages: dict[str, TestResponse], anonymous_pages: dict[str, TestResponse]
) -> None:
    for way, answer in (signed_in_pages | anonymous_pages).items():
        for tag, attributes in Tags(answer.text).tags:
            for address in (attributes.get("href"), attributes.get("action")):
                assert address is None or re.match(r"[?#]|/(?!/)", address), (way, tag, address)
            assert attributes.get("http-equiv", "").lower() != "refresh", way


@on_sqlite
@pytest.mark.asvs("3.5.7")
def test_scripts_are_the_same_for_everybody(app: Flask, alice: str) -> None:
    stranger, owner = Browser(app), Browser(app)
    owner.sign_in(alice)
    for script in SCRIPTS:
        path = "/" + script.relative_to(PACKAGE).as_posix()
        answers = [browser.get(path) for browser in (stranger, owner)]
        assert [answer.data for answer in answers] == [script.read_bytes()] * 2
        for answer in answers:
            assert answer.mimetype == "text/javascript"
            assert "Set-Cookie" not in answer.headers
            answer.close()
    assert [named(file) for file in templates() if file.suffix == ".js"] == []
    served = [module.name for module in modules() if re.search(r"(?:java|ecma)script", module.text)]
    assert served == [], "a view that writes a script can put somebody's data into it"


# Templates as text


@on_sqlite
@pytest.mark.asvs("1.1.2")
def test_every_template_of_html_escapes_what_it_is_given(app: Flask) -> None:
    choose = app.jinja_env.autoescape
    assert callable(choose)
    for template in templates():
        file = template.relative_to(TEMPLATES).as_posix()
        is_mail_text = file.startswith("email/") and template.suffix == ".txt"
        assert choose(file) is not is_mail_text, file


@on_sqlite
@pytest.mark.asvs("1.1.2", "1.3.7")
def test_nothing_switches_escaping_off_or_makes_a_template_from_text(app: Flask) -> None:
    off = []
    for template in templates():
        tree = app.jinja_env.parse(template.read_text(encoding="utf-8"))
        off += [(named(template), found.name) for found in tree.find_all(nodes.Filter) if found.name == "safe"]
        off += [(named(template), "autoescape") for _ in tree.find_all(nodes.ScopedEvalContextModifier)]
    assert off == []
    makers = ("flask.render_template_string", "markupsafe.Markup", "flask.Markup", "jinja2.Template")
    made = [
        f"{module.where(call)} {called}"
        for module in modules()
        for called, call in module.calls()
        if called in makers or called.endswith((".from_string", ".Markup"))
    ]
    # Texts are ours in either language, and Jinja's own translation takes them as HTML, too.
    assert [place.partition(":")[0] for place in made] == ["webapp/http/templating.py"]


@pytest.mark.asvs("1.2.3")
def test_no_template_holds_a_script_or_a_style_of_its_own() -> None:
    for template in pages():
        text = template.read_text(encoding="utf-8")
        assert re.findall(r"<script(?![^>]*\bsrc=)", text) == [], named(template)
        assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", text) == [], named(template)


@on_sqlite
@pytest.mark.asvs("1.2.3")
def test_the_export_is_written_by_a_serializer(app: Flask, alice: str) -> None:
    name = '</script><b>"\u2028\u2029 한'
    browser = Browser(app)
    browser.sign_in(alice)
    with app.app_context(), transaction() as tx:  # no form takes such a name; an older row may hold one
        tx.execute(update(User).values(name=name))
    answer = browser.submit("/account/data", "/account/data/export")
    assert answer.status_code == 200
    assert json.loads(answer.text)["account"]["name"] == name
    assert answer.content_type == "application/json; charset=utf-8"


@pytest.mark.asvs("3.6.1")
def test_styles_and_templates_fetch_from_this_site_only() -> None:
    for style in STATIC.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert [url for url in re.findall(r"url\(([^)]*)\)", text) if not re.match(r'"\.\./[\w./-]+"$', url)] == []
        assert "@import" not in text
    for icon in STATIC.rglob("*.svg"):
        addresses = re.findall(r'(?:href|src)="([^"]+)"', icon.read_text(encoding="utf-8"))
        assert [address for address in addresses if not address.startswith("#")] == [], named(icon)
    for template in pages():
        text = template.read_text(encoding="utf-8")
        assert re.findall(r"<(?:script|link|img|source|video|audio)[^>]*(?:src|href)=\"(?!\{\{ url_for\()", text) == []


@pytest.mark.asvs("3.7.1")
def test_nothing_needs_a_plug_in() -> None:
    for template in templates():
        text = template.read_text(encoding="utf-8").lower()
        assert re.findall(r"<(?:object|embed|applet|param)\b|application/x-(?:shockwave|java|silverlight)", text) == []


@on_sqlite
@pytest.mark.asvs("6.4.2")
def test_there_are_no_hints_and_no_secret_questions(app: Flask) -> None:
    unwanted = re.compile(r"(?i)(password.?hint|secret.?question|security.?question|maiden|first.?pet|answer)")
    columns = [column.name for table in Base.metadata.tables.values() for column in table.columns]
    fields = [field for _, field, _ in form_fields(app)]
    assert [word for word in (*columns, *fields) if unwanted.search(word) or "hint" in word or "question" in word] == []
    assert [named(file) for file in templates() if unwanted.search(file.name)] == []


# Scripts as text


def test_there_is_a_script_to_judge() -> None:
    names = ["demo-spa.js", "passkeys.js", "session-client.js", "site.js"]
    assert [named(script) for script in SCRIPTS] == [f"static/js/{name}" for name in names]


@pytest.mark.asvs("3.2.2")
def test_scripts_write_text_and_never_html() -> None:
    for script in SCRIPTS:
        found = re.findall(
            r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write(?:ln)?|DOMParser|createContextualFragment"
            r"|setHTMLUnsafe|srcdoc|eval|Function|setAttribute\(\s*[\"']on)\b",
            code_of(script),
        )
        assert found == [], named(script)


@pytest.mark.asvs("3.2.3")
def test_scripts_set_no_globals_and_trust_no_name_of_the_document() -> None:
    members = {"createElement", "documentElement", "getElementById", "querySelectorAll"}
    for script in SCRIPTS:
        code = code_of(script)
        assert set(re.findall(r"\bdocument\.(\w+)", code)) <= members, named(script)
        assert re.findall(r"\b(?:window|globalThis|self)\b", code) == [], named(script)
        assert re.findall(r"(?m)^(?:var\b|function\b)", code) == [], named(script)
        assert re.findall(r"(?m)^\s*(?!const|let)\w+\s*=[^=>]", code) == [], named(script)


@pytest.mark.asvs("3.2.3")
def test_scripts_ask_of_what_kind_a_thing_is_that_they_look_up() -> None:
    looking = re.compile(r"\b(getElementById|getElementsBy\w+|querySelector(?:All)?|\.elements|\.children)\b")
    for script in SCRIPTS:
        code = code_of(script)
        helpers = re.search(r"const byId = .*?;\n};\n.*?const all = .*?;\n", code, re.DOTALL)
        helping = helpers[0] if helpers else ""
        assert helping.count("instanceof kind") == len(looking.findall(helping)) == (2 if helpers else 0)
        assert looking.findall(code.replace(helping, "")) == [], "look things up with byId() and all()"


@pytest.mark.asvs("15.3.6")
def test_scripts_open_no_way_into_prototypes() -> None:
    for script in SCRIPTS:
        code = re.sub(r'"[^"\n]*"', '""', code_of(script))
        assert re.findall(r"\bfor\s*\(\s*(?:const|let|var)?\s*\w+\s+in\b", code) == [], named(script)
        assert re.findall(r"[\w)\]]\[[^\]\"0-9]", code) == [], f"{named(script)}: a key that is not written out"
        assert re.findall(r"__proto__|prototype|Object\.assign|setPrototypeOf", code) == [], named(script)


@pytest.mark.asvs("6.2.7")
def test_scripts_and_templates_leave_pasting_and_filling_alone() -> None:
    for file in (*SCRIPTS, *pages()):
        text = file.read_text(encoding="utf-8")
        assert re.findall(r"(?i)[\"']?on?(?:paste|drop|copy|cut|beforeinput)[\"']?\s*[,=(]", text) == [], named(file)
    for script in SCRIPTS:
        heard = set(re.findall(r"addEventListener\(\"(\w+)\"", code_of(script)))
        assert heard <= {"click", "submit", "pageshow", "message"}, named(script)


@on_sqlite
@pytest.mark.asvs("14.3.3")
def test_a_visitors_cookie_can_be_read_and_so_holds_no_address(app: Flask, alice: str, mailbox: Mailbox) -> None:
    """Whoever follows a mailed link in a browser that is signed out gets the answer in that cookie."""
    owner, visitor = Browser(app), Browser(app)
    owner.sign_in(alice)
    owner.submit("/account/email", email="other@example.com")
    owner.submit(mailbox.link("other@example.com", "/email/confirm/"))
    bag = VisitorCookie(app.extensions["runtime"].settings)
    visitor.submit(mailbox.link(alice, "/email/undo/"))
    assert "example.com" not in str(bag.open(visitor.cookie("visitor") or ""))
    visitor.submit("/login", email=alice, password="not the one it is, surely")
    assert "example.com" not in str(bag.open(visitor.cookie("visitor") or ""))


@pytest.mark.asvs("14.3.3")
def test_scripts_store_nothing_in_the_browser() -> None:
    for script in SCRIPTS:
        found = re.findall(r"localStorage|sessionStorage|indexedDB|caches\b|document\.cookie", code_of(script))
        assert found == [], named(script)
