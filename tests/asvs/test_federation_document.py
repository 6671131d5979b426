"""docs/federation.md, and what docs/security.md says of providers, are true: cases, words, settings, routes, events."""

import ast
import json
import re
from datetime import timedelta
from itertools import product

import pytest
from flask import Flask
from pydantic_core import PydanticUndefined

from tests.asvs.documents import DATA, FEDERATION, SECURITY, Row, name, names, settings_field, table, tables
from tests.source import ROOT, literal, log_calls, modules
from webapp import create_app, errors
from webapp.gateways import id_token, provider_keys, relying_party
from webapp.policy import cross_account
from webapp.policy.cross_account import BULK, Reaction, judge_event
from webapp.policy.linking import Local, Tie, Verdict, judge_identity, judge_tie
from webapp.policy.login_sessions import FRESH_FOR
from webapp.provider_settings import GOOGLE, LOOPBACK, ProviderConfig, _Entry
from webapp.settings import Settings

TEXT = FEDERATION.read_text(encoding="utf-8")
SECURITY_TEXT = SECURITY.read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
LOCAL = {
    "none": Local.NONE,
    "unconfirmed": Local.UNVERIFIED,
    "confirmed": Local.VERIFIED,
    "tied": Local.TIED,
    "closed": Local.DISABLED,
}
ANSWERS = {"yes": True, "no": False}


def one_line(text: str) -> str:
    """Without the breaks of its lines."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def site(development_app: Flask) -> Flask:
    """A site with every route there can be; nothing is connected."""
    return development_app


def _codes() -> set[str]:
    """The code of every refusal."""
    return {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}


# Linking


def _choices(cell: str, every: list[str]) -> list[str]:
    return every if cell == "any" else [cell]


def test_the_cases_of_linking_are_those_of_the_policy() -> None:
    told: dict[tuple[bool, bool, bool, Local], str] = {}
    for row in table(SECURITY, "Linking"):
        for known, verified, local, authoritative in product(
            _choices(row["identity"], ["known", "new"]),
            _choices(row["address confirmed there"], list(ANSWERS)),
            _choices(row["account here with it"], list(LOCAL)),
            _choices(row["provider decides whose it is"], list(ANSWERS)),
        ):
            case = (known == "known", ANSWERS[verified], ANSWERS[authoritative], LOCAL[local])
            assert case not in told, f"two rows are about {case}"
            told[case] = name(row["outcome"])
        assert row["why"]
    every = product((True, False), (True, False), (True, False), Local)
    judged = {
        (known, verified, authoritative, local): judge_identity(
            known=known, verified=verified, authoritative=authoritative, local=local
        )
        for known, verified, authoritative, local in every
    }
    assert told == judged
    assert set(told.values()) == set(Verdict)


def test_the_cases_of_linking_while_signed_in_are_those_of_the_policy() -> None:
    identity = {"opens this account": (True, True), "opens another": (True, False), "new": (False, False)}
    account = {"any": (True, False), "has another of this provider": (True,), "has none of it": (False,)}
    rows = table(SECURITY, "Linking", 1)
    for row in rows:
        known, mine = identity[row["identity"]]
        for have_another in account[row["account"]]:
            assert judge_tie(known=known, mine=mine, have_another=have_another) == name(row["outcome"]), row
    assert {name(row["outcome"]) for row in rows} == set(Tie)


def test_the_domains_that_google_decides_about_are_told() -> None:
    settings = Settings.checked(APP_ENV="testing", SECRET_KEY="k" * 40, GOOGLE_CLIENT_ID="c", GOOGLE_CLIENT_SECRET="s")
    (google,) = settings.providers
    assert google.authoritative
    assert google.trusts_hosted_domain
    assert f"Google for {' and '.join(google.domains)}, and for a" in one_line(SECURITY_TEXT)


# What is refused


def _reasons() -> set[str]:
    """Every word that stands in the code as the reason of a refused answer."""
    return {
        word
        for module in modules()
        for called, call in module.calls()
        if called.endswith("ProviderAnswerRefused")
        for keyword in call.keywords
        if keyword.arg == "reason" and (word := literal(keyword.value)) is not None
    }


def test_every_reason_to_refuse_a_providers_answer_is_told() -> None:
    by_claim = {"exp", "iat", "nbf", "auth_time"}  # checked in a loop over their names
    told = {name(row["reason"]): row["what was wrong"] for row in table(SECURITY, "Answers", 1)}
    assert set(told) == _reasons() | by_claim, "docs/security.md, Answers: reason, what was wrong"
    assert all(told.values())


def test_the_algorithms_and_scopes_are_told() -> None:
    rows = table(SECURITY, "Answers")
    assert len(rows) >= 6
    told = next(row["here"] for row in rows if "algorithms" in row["Authlib by itself"])
    assert names(told) == list(provider_keys.ALGORITHMS)
    for text in (SECURITY_TEXT, DATA.read_text(encoding="utf-8")):
        assert f"`{' '.join(relying_party.SCOPES)}`" in text
    assert "RS256, PS256 or ES256" in one_line(TEXT)
    assert timedelta(minutes=10) == id_token.OLDEST  # "10 minutes old", in the table of reasons


# Three sessions


@pytest.mark.asvs("7.1.3")
def test_the_three_sessions_are_told_with_lifetime_sign_out_and_proof() -> None:
    rows = table(FEDERATION, "Three sessions")
    theirs, browsers, apps = tables(FEDERATION)[0].columns[1:]
    assert ("provider" in theirs, "browser" in browsers, "app" in apps) == (True, True, True)
    told = " ".join(row[""] for row in rows)
    for about in ("kept by", "begins", "ends by itself", "signing out", "from outside", "proves again"):
        assert about in told
    assert all(all(row.values()) for row in rows)
    values = {name(row["set by"]) for row in table(FEDERATION, "Three sessions", 1)}
    assert values > {"SESSION_IDLE_SECONDS", "SESSION_ABSOLUTE_SECONDS", "JWT_REFRESH_SECONDS", "JWT_ACCESS_SECONDS"}


@pytest.mark.asvs("7.1.3", "7.6.1")
def test_every_moment_of_being_asked_again_is_told_with_what_happens() -> None:
    rows: dict[str, Row] = {row["moment"]: row for row in table(FEDERATION, "When somebody is asked again")}
    assert f"{FRESH_FOR // timedelta(minutes=1)} minutes old" in " ".join(rows)
    told = {word for row in rows.values() for word in names(row["what happens"])}
    assert told & _codes() == {"provider_proof_too_old", "last_way_in"}
    assert {"max_age=0", "auth_time"} <= told
    assert "**Session age claims**" in TEXT
    assert "Session age claims" in README


@pytest.mark.asvs("7.1.3")
def test_every_route_and_every_variable_that_is_named_exists(site: Flask) -> None:
    routes = {rule.rule for rule in site.url_map.iter_rules()}
    named = {word.removeprefix("{PUBLIC_URL}") for word in re.findall(r"`([^`\s]+)`", TEXT)}
    paths = {word.replace("<name>", "<provider>") for word in named if word.startswith("/") and word.count("/") > 1}
    own = {path for path in paths if not path.startswith("/.well-known/")}
    assert own - routes == set()
    assert own >= {"/login/<provider>/callback", "/google/risc", "/reauthenticate/<provider>"}
    variables = {word for word in named if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", word)}
    for variable in variables:
        settings_field(variable)  # raises LookupError
    assert variables >= {"GOOGLE_RISC_METADATA_URL", "GOOGLE_CLIENT_ID", "GOOGLE_NATIVE_CLIENT_IDS"}


# Another provider


def example(text: str) -> str:
    """The list of providers that a document shows, as one line."""
    found = re.search(r"\[\{.*?\}\]", text, re.DOTALL)
    assert found is not None
    return one_line(found[0])


@pytest.mark.parametrize("text", [TEXT, README], ids=["federation.md", "README.md"])
def test_the_example_of_another_provider_is_one_that_the_site_takes(text: str) -> None:
    settings = Settings.checked(APP_ENV="testing", SECRET_KEY="k" * 40, OIDC_PROVIDERS=example(text))
    (acme,) = settings.providers
    assert isinstance(acme, ProviderConfig)
    assert (acme.name, acme.issuer) == ("acme", "https://login.acme.example")
    app = create_app(settings)
    assert app.extensions["runtime"].relying_parties["acme"].redirect_uri.endswith("/login/acme/callback")


def test_every_field_of_a_provider_is_told_with_its_default() -> None:
    told = {name(row["field"]): row["default"] for row in table(FEDERATION, "Another provider")}
    real = {
        field: "" if info.default is PydanticUndefined else f"`{json.dumps(info.default)}`"
        for field, info in _Entry.model_fields.items()
    }
    assert told == real
    assert set(json.loads(example(TEXT))[0]) == set(real)


def test_the_readme_shows_what_to_register_and_where_apps_may_be() -> None:
    assert "`{PUBLIC_URL}/login/google/callback`" in README
    shown = re.search(r"`API_REDIRECT_URIS=(\S+)`", README)
    assert shown is not None
    settings = Settings.checked(APP_ENV="testing", SECRET_KEY="k" * 40, API_REDIRECT_URIS=shown[1])
    assert len(settings.API_REDIRECT_URIS) == 3
    taken = re.search(r"Google takes http for\s+`(\S+)` and `(\S+)` only", README)
    assert taken is not None
    assert set(taken.groups()) <= LOOPBACK


# Cross-Account Protection


def test_every_event_is_told_with_what_follows() -> None:
    told = {name(row["event"]): row["what follows"] for row in table(FEDERATION, "Cross-Account Protection")}
    real = {kind.rpartition("/")[2]: kind for kind in cross_account._REACTIONS}
    assert set(told) == set(real)
    for event, follows in told.items():
        usual, _, special = follows.partition(";")
        assert set(names(usual)) == judge_event(real[event], None), event
        if special:
            reason, *instead = names(special)
            assert reason == BULK
            assert set(instead) == judge_event(real[event], reason), event
        else:
            assert judge_event(real[event], BULK) == judge_event(real[event], None), event
    words = {name(row["word"]): row["meaning"] for row in table(FEDERATION, "Cross-Account Protection", 1)}
    assert set(words) == set(Reaction)
    assert all(words.values())


def test_how_old_an_event_may_be_is_told() -> None:
    assert f"when it is {cross_account.OLDEST.days} days old at most" in one_line(TEXT)
    metadata = re.search(r"`GOOGLE_RISC_METADATA_URL=(\S+)`", TEXT)
    assert metadata is not None
    settings = Settings.checked(
        APP_ENV="testing", SECRET_KEY="k" * 40, GOOGLE_CLIENT_ID="c", GOOGLE_RISC_METADATA_URL=metadata[1]
    )
    assert create_app(settings).extensions["runtime"].event_issuer is not None


# Operators


def test_what_an_operator_sees_are_lines_that_are_written() -> None:
    written = {event for _, event, _ in log_calls()}
    rows = table(FEDERATION, "What an operator sees")
    assert {names(row["in the log"])[0] for row in rows} <= written
    words = _reasons() | _codes()
    assert {word for row in rows for word in names(row["in the log"])[1:]} <= words
    assert all(row["what it means"] and row["what to do"] for row in rows)


def test_the_picture_of_a_provider_stands_in_no_page() -> None:
    """Its host would see who is looking: docs/data.md, From a provider."""
    assert "no page loads it" in one_line(DATA.read_text(encoding="utf-8"))
    templates = (ROOT / "webapp" / "templates").rglob("*.*")
    assert [file.name for file in templates if "picture_url" in file.read_text(encoding="utf-8")] == []
    reading = {
        module.name
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr == "picture_url"
    }
    assert reading == {"services/identities.py"}


def test_no_provider_may_have_googles_name() -> None:
    named = json.loads(example(TEXT))[0] | {"name": GOOGLE}
    with pytest.raises(Exception, match="name"):
        Settings.checked(APP_ENV="testing", SECRET_KEY="k" * 40, OIDC_PROVIDERS=json.dumps([named]))
