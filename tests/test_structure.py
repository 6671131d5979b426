"""The house keeps its shape: each rule that code could quietly break is a test here.

The arrows between the layers are import-linter's (`make check`), the migrations have tests of their own.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Blueprint, Flask
from werkzeug.routing import Rule

from tests.asvs.documents import SECURITY, name, table
from tests.conftest import NewApp
from tests.journeys.pages import csrf_token
from tests.people import Browser
from tests.rows import on_sqlite
from tests.source import PACKAGE, ROOT, Module, modules
from webapp import errors
from webapp.blueprints.account.wording import SENTENCES, WITH_PROVIDER, event_sentence
from webapp.errors import DomainError
from webapp.http import words
from webapp.http.access import OPEN_ENDPOINTS
from webapp.http.request_checks import API_PREFIX
from webapp.policy.login_sessions import EndReason
from webapp.policy.passwords import PasswordRule
from webapp.policy.security_events import EventKind
from webapp.services import links
from webapp.services.outbox import MAILS
from webapp.settings import Settings

MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_VIEW = 24  # between the decorators and the end, docstring included


# Who may open what


def anonymous_answers(app: Flask, rule: Rule) -> Iterator[tuple[str, int, str]]:
    """What somebody who is not signed in gets at a route, with a CSRF token of their own: method, status, Location."""
    with app.test_request_context():
        path = app.url_map.bind("").build(rule.endpoint, {key: _argument(rule, key) for key in rule.arguments})
    browser = Browser(app)
    token = csrf_token(browser.get("/login"))
    for method in sorted((rule.methods or set()) & {"GET", "POST"}):
        answer = browser.get(path) if method == "GET" else browser.post(path, {"csrf_token": token})
        yield method, answer.status_code, answer.headers.get("Location", "")


def _argument(rule: Rule, key: str) -> str:
    return "0" * 8 + "-0000-7000-8000-" + "0" * 12 if f"uuid:{key}" in rule.rule else "x" * 43


@on_sqlite
@pytest.mark.asvs("8.3.1")
def test_whatever_is_not_listed_as_open_sends_the_anonymous_to_the_sign_in_page(app: Flask) -> None:
    closed = [rule for rule in app.url_map.iter_rules() if rule.endpoint not in OPEN_ENDPOINTS]
    pages = [rule for rule in closed if not rule.rule.startswith(API_PREFIX)]
    assert len(pages) >= 14
    for rule in pages:
        for method, status, location in anonymous_answers(app, rule):
            assert (status, location.partition("?")[0]) == (303, "/login"), (method, rule.rule)


@on_sqlite
def test_whatever_is_listed_as_open_exists_and_does_not_ask_for_a_sign_in(new_app: NewApp, tmp_path: Path) -> None:
    app = new_app(APP_ENV="development", MAIL_URL=f"file:{tmp_path / 'mail'}")
    rules = {rule.endpoint: rule for rule in app.url_map.iter_rules()}
    assert set(rules) >= OPEN_ENDPOINTS, "an endpoint is listed as open that does not exist"
    steps = {"auth.keep_account", "ops.change_password"}  # lead on to the sign-in page by themselves
    for endpoint in OPEN_ENDPOINTS - steps:
        for method, _, location in anonymous_answers(app, rules[endpoint]):
            assert not location.startswith("/login?next"), (method, endpoint)


@on_sqlite
@pytest.mark.asvs("8.3.1")
def test_a_route_that_nobody_listed_is_closed(new_app: NewApp) -> None:
    app, new = new_app(), Blueprint("new", __name__)
    new.add_url_rule("/new", "page", lambda: "open to everybody", methods=["GET", "POST"])
    app.register_blueprint(new)
    browser = Browser(app)
    assert browser.get("/new").headers["Location"] == "/login?next=/new"
    token = csrf_token(browser.get("/login"))
    assert browser.post("/new", {"csrf_token": token}).headers["Location"].startswith("/login?")


# One place for each thing


def places(function: str) -> set[str]:
    """Where something is called, by the end of its name."""
    return {
        module.name
        for module in modules()
        for called, call in module.calls()
        if called.rpartition(".")[2] == function
        or (isinstance(call.func, ast.Attribute) and call.func.attr == function)
    }


def test_login_sessions_are_made_in_one_file() -> None:
    made = {
        module.name
        for module in modules()
        for called, call in module.calls()
        if called == "sqlalchemy.insert" and "LoginSession" in ast.unparse(call)
    }
    assert made | places("LoginSession") == {"services/sign_in.py"}


def test_one_file_commits() -> None:
    assert places("commit") == {"services/transaction.py"}


def test_connections_of_their_own_are_begun_by_the_stores_and_where_transactions_are() -> None:
    assert places("begin") <= {
        *("http/session_stores.py", "gateways/limit_storage.py", "http/cookie_delivery.py", "services/transaction.py")
    }


def test_one_clock_is_read() -> None:
    reading = {
        module.where(call)
        for module in modules()
        for called, call in module.calls()
        if called in ("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.date.today", "time.time")
        and module.name != "clock.py"
    }
    assert reading == set(), "webapp.clock.now() is the one clock, which tests can move"


def test_each_file_of_models_holds_one_table() -> None:
    for module in modules():
        if module.name.startswith("models/") and module.name not in ("models/__init__.py", "models/base.py"):
            assert module.text.count("__tablename__") == 1, module.name


def test_blueprints_hold_no_queries() -> None:
    forbidden = ("sqlalchemy", "flask_sqlalchemy", "webapp.models", "webapp.policy", "webapp.gateways")
    asking = {
        f"{module.name} imports {imported}"
        for module in modules()
        if module.name.startswith("blueprints/")
        for imported in module.imported_modules()
        if imported.startswith(forbidden) or imported == "webapp.extensions.db"
    }
    assert asking == set()


# Small


def views() -> Iterator[tuple[Module, ast.FunctionDef]]:
    for module in modules():
        for node in module.tree.body:
            if isinstance(node, ast.FunctionDef) and any("bp." in ast.unparse(mark) for mark in node.decorator_list):
                yield module, node


def test_a_view_parses_calls_and_answers() -> None:
    long = {
        f"{module.where(view)} {view.name}: {lines} lines"
        for module, view in views()
        if (lines := (view.end_lineno or 0) - view.lineno + 1) > MOST_LINES_OF_A_VIEW
    }
    assert long == set(), "what a view does beyond parsing, one service call and the answer belongs to a service"


def test_no_view_guards_a_service_by_itself() -> None:
    catching = {module.where(node) for module, view in views() for node in ast.walk(view) if isinstance(node, ast.Try)}
    assert catching == set(), "errors are mapped once: Form.showing, or an error handler"


def test_no_file_is_too_long_to_read() -> None:
    long = {module.name: len(module.text.splitlines()) for module in modules()}
    assert {file: lines for file, lines in long.items() if lines > MOST_LINES_OF_A_FILE} == {}


def test_every_public_function_says_what_it_is_for() -> None:
    silent = {
        f"{module.where(node)} {node.name}"
        for module in modules()
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
        and not _is_a_table(node)
    }
    assert silent == set()


def _is_a_table(node: ast.stmt) -> bool:
    """Its file says what it is."""
    return isinstance(node, ast.ClassDef) and "__tablename__" in ast.unparse(node)


# Every code, event and ending has its words


def refusals() -> list[type[DomainError]]:
    """Every refusal the site can give."""
    found = (kind for _, kind in inspect.getmembers(errors, inspect.isclass))
    return [kind for kind in found if issubclass(kind, DomainError)]


def test_every_refusal_has_a_code_of_its_own_and_is_defined_in_one_file() -> None:
    codes = [kind.code for kind in refusals()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)
    elsewhere = [kind for kind in DomainError.__subclasses__() if kind.__module__.startswith(errors.__name__) is False]
    assert [kind for kind in elsewhere if kind.__module__.startswith("webapp.")] == []


def test_every_code_is_documented() -> None:
    documented = {name(row["code"]): row for row in table(SECURITY, "Errors")}
    assert set(documented) == {kind.code for kind in refusals()}, "docs/security.md, Errors: code, meaning, told"
    assert all(row["meaning"] and row["told"] for row in documented.values())


@on_sqlite
def test_every_refusal_is_told_beside_a_form_or_on_a_page_of_its_own(app: Flask) -> None:
    handlers = {
        kind
        for scope in app.error_handler_spec.values()
        for by_status in scope.values()
        for kind in by_status
        if issubclass(kind, DomainError)
    }
    silent = {
        kind.__name__
        for kind in refusals()
        if kind is not DomainError
        and kind.code not in words._SENTENCES
        and kind is not errors.PasswordRefused
        and not issubclass(kind, tuple(handlers))
        and kind is not errors.EmailTaken  # for operators: the command says it
    }
    assert silent == set(), "give it a sentence in http/words.py, or a page by an error handler"
    assert errors.EmailTaken.code in (PACKAGE / "cli.py").read_text(encoding="utf-8")


def test_every_rule_for_passwords_says_what_to_do() -> None:
    told = set(words._PASSWORD_RULES) | {"too_short"}
    assert told == {rule.value for rule in PasswordRule} | {"unchanged"}


def test_every_way_a_session_ends_is_told_at_the_next_visit() -> None:
    own_doing = {EndReason.SIGNED_OUT}  # who pressed the button knows
    of_apps = {EndReason.REFRESH_REUSED}  # told by words.WARNINGS on the next page, wherever that is opened
    assert set(words.END_REASONS) == {reason.value for reason in EndReason} - own_doing - of_apps
    ends_nothing = {EventKind.PROVIDER_WARNED}
    assert set(words.WARNINGS) == {told.value for told in (*of_apps, *ends_nothing)}


@on_sqlite
def test_every_event_has_a_sentence(app: Flask) -> None:
    counted = {EventKind.OTHER_SESSIONS_ENDED, EventKind.SIGNED_OUT_BY_OPERATOR}  # say how many
    assert set(SENTENCES) | set(WITH_PROVIDER) == {kind.value for kind in EventKind} - counted
    with app.test_request_context():
        unknown = event_sentence("nobody knows this one", {})
        told = {kind: event_sentence(kind, {"count": 2, "provider": "Acme"}) for kind in EventKind}
        assert unknown not in told.values()
        assert all("Acme" in told[EventKind(kind)] for kind in WITH_PROVIDER)
        assert event_sentence("signed_in", {"methods": "google"}) == "Signed in with Google."


def test_every_mail_has_its_three_templates_and_every_template_its_mail() -> None:
    folders = {folder.name: folder for folder in (PACKAGE / "templates" / "email").iterdir() if folder.is_dir()}
    assert set(folders) == set(MAILS)
    for folder in folders.values():
        assert {file.name for file in folder.iterdir()} == {"subject.txt", "body.txt", "body.html"}, folder.name


@on_sqlite
def test_every_link_in_a_mail_leads_to_a_page(app: Flask) -> None:
    paths = [path for constant, path in vars(links).items() if constant.isupper()]
    assert len(paths) >= 7
    adapter = app.url_map.bind("")
    for path in paths:
        endpoint, arguments = adapter.match(path + ("t" * 43 if path.endswith("/") else ""), method="GET")
        assert arguments in ({}, {"token": "t" * 43}), path
        assert endpoint != "static"


# The repository


def test_every_variable_that_can_be_set_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = {
        variable
        for line in readme.splitlines()
        if line.startswith("|")
        for variable in re.findall(r"`([A-Z][A-Z0-9_]+)`", line.split("|")[1])
    }
    served = set(re.findall(r'(?:_whole_number\(|environ\.get\()"([A-Z_]+)"', (ROOT / "gunicorn.conf.py").read_text()))
    served |= set(re.findall(r'environ\.get\("(STAND_IN_PORT)"\)', (ROOT / "stand_in" / "__main__.py").read_text()))
    flasks_own = {"FLASK_DEBUG"}  # read only to refuse it
    of_make_run = {"ANNOUNCE"}
    real = {info.alias or field for field, info in Settings.model_fields.items()} | served
    assert told == real - flasks_own - of_make_run, "README.md, the table of settings: variable, default, meaning"


def written_files() -> Iterator[Path]:
    """Everything somebody wrote."""
    suffixes = {".py", ".html", ".txt", ".css", ".js", ".svg", ".md", ".sh", ".toml", ".in", ".csv", ".po", ".ini", ""}
    for folder in ("webapp", "stand_in", "tests", "scripts", "docs", "migrations", ".ci"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file() and file.suffix in suffixes and "__pycache__" not in file.parts:
                yield file
    yield from (ROOT / file for file in ("README.md", "Makefile", "pyproject.toml", "gunicorn.conf.py", "wsgi.py"))


@pytest.mark.parametrize(
    "unwanted",
    [
        pytest.param(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b", id="what is left to do"),
        pytest.param(r"(?<![\w.])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me/\w+)/", id="a path of one machine"),
        pytest.param(r"<<<<" + r"<<< |>>>>" + r">>> ", id="a merge that was not finished"),
    ],
)
def test_nothing_is_left_lying_about(unwanted: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for file in written_files()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(unwanted, line)
    ]
    assert found == []
