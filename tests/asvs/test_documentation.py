"""The documents are true: each table of security.md and data.md is held against what it tells of, and each value of
federation.md, too; the rest of that one is held by test_federation_document.py.
"""

import ast
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from flask import Flask
from marshmallow import fields as json_fields
from marshmallow import validate
from wtforms import Field, SelectField
from wtforms.validators import InputRequired, Length, Optional

from scripts.asvs import marks_of_file
from tests.asvs.documents import (
    DATA,
    DOCUMENTS,
    SECURITY,
    Row,
    is_value,
    meaning,
    name,
    names,
    settings_field,
    table,
    tables,
    value_of,
)
from tests.source import ROOT, Module, literal, log_calls, modules
from webapp import create_app, errors
from webapp.blueprints.api import bodies
from webapp.extensions import db
from webapp.http import access
from webapp.http.client import DEVICE_COOKIE_NAME, TRUST_COOKIE_NAME
from webapp.http.cookie_sessions import CookieSessions
from webapp.http.forms import Form
from webapp.http.handshake import handshake_cookie_names
from webapp.http.headers import COMMON_HEADERS
from webapp.http.locale import LOCALE_COOKIE_NAME
from webapp.http.problems import CODES, STATUS
from webapp.http.token_delivery import COOKIE_PATH, refresh_cookie_name
from webapp.models import Base
from webapp.policy import passwords
from webapp.policy.one_time import LIFE, Purpose
from webapp.policy.security_events import EventKind
from webapp.policy.throttling import Limit, OnSuccess, Window, login_buckets
from webapp.provider_settings import GOOGLE
from webapp.services import access_tokens, factors, key_ring, passkey_keys, refresh_tokens, second_factor, sign_in
from webapp.services.sealing import Sealer
from webapp.settings import Settings

CRYPTOGRAPHY = ("argon2", "cryptography", "hashlib", "hmac", "itsdangerous", "joserfc", "jwt", "secrets", "ssl")
CRYPTOGRAPHY += ("pyotp", "webauthn")
# Mistakes, and names of formats and types: nothing is done with them that the calls beside them do not do.
NO_CALL = re.compile(
    r"\.exceptions\.|\.errors\.|\.(BadData|SignatureExpired|Signer|InvalidTokenError|PyJWTError)$|\.encoding\.|\.util\.|"
    r"\.(EllipticCurvePrivateKey|EllipticCurvePublicKey|Encoding|Encoding\.DER|PrivateFormat|PrivateFormat\.PKCS8)$|"
    r"\.ECAlgorithm$|^joserfc\.jws$|\.RSAPublicKey$|\.COSEAlgorithmIdentifier$|\.COSECRV\b|\.Decoded\w+PublicKey$|"
    r"^webauthn\.helpers\.structs\.|^webauthn\.(generate_\w+_options|options_to_json)$|\.VerifiedAuthentication$"
)
CONNECTS = (
    *("smtplib.SMTP", "smtplib.SMTP_SSL", "socket", "urllib.request", "http.client", "asyncio"),
    *("redis.Redis.from_url", "redis.ConnectionPool.from_url", "psycopg.connect", "psycopg.Connection"),
    *("flask_sqlalchemy.SQLAlchemy", "sqlalchemy.create_engine"),
    *("requests.adapters", "requests.Session", "urllib3"),
)
# Where a blueprint does in two steps what its views share: the half that delivers, and the route that people know.
DELIVERED_FOR = {"federation._signed_in": "federation.callback", "federation.go_on": "federation.connect"}


def forms() -> list[type[Form]]:
    """Every form of the site that asks for something."""
    for module in modules():
        if module.name.startswith("blueprints/"):
            import_module(module.dotted)
    return [form for form in _kinds_of(Form) if form.__module__.startswith("webapp.") and _fields_of(form)]


def _kinds_of(form: type[Form]) -> Iterator[type[Form]]:
    for kind in form.__subclasses__():
        yield kind
        yield from _kinds_of(kind)


def _fields_of(form: type[Form]) -> list[str]:
    return [field for field in vars(form) if hasattr(getattr(form, field), "field_class")]


def form_fields(app: Flask) -> Iterator[tuple[str, str, Field]]:
    """Form, name and field of everything a page asks for."""
    with app.test_request_context():
        for form in forms():
            made = form()
            for field in _fields_of(form):
                yield form.__name__, field, made[field]


# Values


def stated_values() -> list[Any]:
    rows = [
        (found, row)
        for document in DOCUMENTS
        for found in tables(document)
        if {"value", "set by"} <= set(found.columns)
        for row in found.rows
    ]
    return [pytest.param(row, id=f"{found.heading}: {name(row['set by'])}") for found, row in rows]


@pytest.mark.asvs("2.1.3", "7.1.1", "7.1.2", "13.1.2", "13.1.3", "15.1.3")
@pytest.mark.parametrize("row", stated_values())
def test_every_value_that_is_stated_is_the_one_in_the_code(row: Row) -> None:
    real = value_of(name(row["set by"]))
    assert is_value(row["value"], real), f"the document says {row['value']}, the code {real!r}"


def test_every_span_of_time_in_the_code_and_every_number_of_a_rule_is_stated() -> None:
    stated = {names(row["set by"])[0] for document in DOCUMENTS for row in _value_rows(document)}
    missing = [
        f"{module.dotted.removeprefix('webapp.')}.{constant}"
        for module in modules()
        for constant in _times_in(module)
        if not any(
            known.startswith(f"{module.dotted.removeprefix('webapp.')}.{constant}".removesuffix("]"))
            for known in stated
        )
    ]
    assert missing == [], (
        "give each a row with its value in docs/security.md (Lifetimes, Who we talk to) or docs/data.md"
    )


def _value_rows(document: Any) -> Iterator[Row]:
    return (row for found in tables(document) if {"value", "set by"} <= set(found.columns) for row in found.rows)


def _times_in(module: Module) -> Iterator[str]:
    for node in module.tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and re.fullmatch(r"[A-Z][A-Z_0-9]+", target.id):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            assert node.value is not None
            waits = re.search(r"TIMEOUT|SECONDS|POLL|PATIENCE|DEADLINE|WAIT_|(?<!RE)FRESH|METADATA_KEPT", target.id)
            is_rule = module.name.startswith("policy/") and re.fullmatch(r"[\d_.* ]+", ast.unparse(node.value))
            if "timedelta(" in ast.unparse(node.value) or waits or is_rule:
                yield target.id


# Who may do what


@pytest.mark.asvs("8.1.1")
def test_every_route_stands_in_the_table_with_its_rule(development_app: Flask) -> None:
    documented = {name(row["endpoint"]): row for row in table(SECURITY, "Who may open what")}
    real = {rule.endpoint: rule for rule in development_app.url_map.iter_rules()}
    assert set(documented) == set(real), "docs/security.md, Who may open what: one row for each route"
    for endpoint, rule in real.items():
        row, methods = documented[endpoint], sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        assert name(row["route"]) == rule.rule
        assert row["methods"] == ", ".join(methods)
        assert row["who"].startswith("anyone" if endpoint in access.OPEN_ENDPOINTS else "signed in"), endpoint
        assert row["who"].startswith("signed in and fresh") == _wants_a_fresh_sign_in(development_app, endpoint), (
            endpoint
        )
        assert ("development only" in row["who"]) == endpoint.startswith("dev."), endpoint


@pytest.mark.asvs("13.4.5", "15.2.3")
def test_in_production_there_are_just_the_routes_of_the_table_that_are_not_for_development() -> None:
    app = create_app(
        Settings.checked(
            APP_ENV="production",
            SECRET_KEY="".join(map(chr, range(48, 96))),
            PUBLIC_URL="https://login.example.com",
            DATABASE_URL="postgresql://site:nobody-knows-it@127.0.0.1:1/site",
            MAIL_URL="smtps://127.0.0.1:1",
        )
    )
    rows = table(SECURITY, "Who may open what")
    for_all = {name(row["route"]) for row in rows if "development only" not in row["who"]}
    assert {rule.rule for rule in app.url_map.iter_rules()} == for_all
    watching = {name(row["route"]) for row in rows if name(row["endpoint"]).startswith("ops.")}
    assert {route for route in watching if not route.startswith("/.well-known/")} == {"/healthz", "/readyz", "/metrics"}
    assert app.test_client().get("/dev/mail", base_url="https://login.example.com").status_code == 404
    assert not app.debug


def _wants_a_fresh_sign_in(app: Flask, endpoint: str) -> bool:
    guarded = access.fresh_sign_in(lambda: None).__code__
    return getattr(app.view_functions[endpoint], "__code__", None) == guarded


@pytest.mark.asvs("8.1.2")
def test_every_attribute_has_its_readers_and_writers() -> None:
    rows = table(SECURITY, "Who may change what")
    documented = [attribute for row in rows for attribute in names(row["attribute"])]
    real = {f"{found.name}.{column.name}" for found in Base.metadata.sorted_tables for column in found.columns}
    whole = {attribute.removesuffix(".*") for attribute in documented if attribute.endswith(".*")}
    single = {attribute for attribute in documented if not attribute.endswith(".*")}
    assert single | {attribute for attribute in real if attribute.partition(".")[0] in whole} == real
    assert whole <= {attribute.partition(".")[0] for attribute in real}
    assert len(documented) == len(set(documented))
    assert all(row["read by"] and row["changed by"] for row in rows)


@pytest.mark.asvs("8.1.2")
def test_a_form_or_a_body_changes_just_the_attributes_that_the_table_says(development_app: Flask) -> None:
    through = {
        (field, attribute)
        for row in table(SECURITY, "Who may change what")
        for field in names(row["through"])
        for attribute in names(row["attribute"])
        if attribute != "users.email_key"  # follows from the address
    }
    becomes = {
        (f"{name(row.get('form') or row['body'])}.{name(row['field'])}", name(row["becomes"]))
        for row in (*table(SECURITY, "Fields"), *table(SECURITY, "Fields", 1))
        if names(row["becomes"])
    }
    assert through == becomes


# What comes in


@pytest.mark.asvs("2.1.1")
def test_every_field_stands_in_the_table_with_its_limits(development_app: Flask) -> None:
    documented = {(name(row["form"]), name(row["field"])): row for row in table(SECURITY, "Fields")}
    real = {(form, field): made for form, field, made in form_fields(development_app)}
    assert set(documented) == set(real), "docs/security.md, Fields: one row for each field of each form"
    for key, made in real.items():
        row = documented[key]
        assert row["type"] == type(made).__name__, key
        assert row["limits"], key
        missing = [phrase for phrase in _limits_of(made) if phrase not in row["limits"]]
        assert missing == [], f"{key}: the limits lack {missing}"
        assert ("trimmed" in row["limits"]) == bool(made.filters), key
        assert ("required" in row["limits"]) == made.flags.required if made.flags.required else True, key


def _limits_of(field: Field) -> Iterator[str]:
    for rule in field.validators:
        if isinstance(rule, Length):
            assert rule.min in (-1, 0)
            yield f"at most {rule.max:,} code points"
        elif isinstance(rule, Optional):
            pass
        elif isinstance(rule, InputRequired) or type(rule).__name__ == "DataRequired":
            yield "required"
        else:
            raise AssertionError(f"this test does not know how {rule!r} is written in docs/security.md")
    if isinstance(field, SelectField):
        yield "one of " + ", ".join(str(choice.value) for choice in field.choices or ())


@pytest.mark.asvs("2.1.1")
def test_every_field_of_a_body_stands_in_the_table_with_its_limits() -> None:
    documented = {(name(row["body"]), name(row["field"])): row for row in table(SECURITY, "Fields", 1)}
    schemas = [kind for kind in vars(bodies).values() if isinstance(kind, type) and issubclass(kind, bodies.Strict)]
    real = {(kind.__name__, field): made for kind in schemas for field, made in kind().fields.items()}
    assert set(documented) == set(real), "docs/security.md, Fields, second table: one row for each field of each body"
    for key, made in real.items():
        row = documented[key]
        assert row["type"] == type(made).__name__, key
        missing = [phrase for phrase in _limits_of_json(made) if phrase not in row["limits"]]
        assert missing == [], f"{key}: the limits lack {missing}"
        assert ("required" in row["limits"]) == made.required, key


def _limits_of_json(field: json_fields.Field[Any]) -> Iterator[str]:
    if isinstance(field, json_fields.Dict):
        yield "an object within the limits of a body"
        return
    assert field.validators, "a field without limits"
    for rule in field.validators:
        if isinstance(rule, validate.Regexp):
            yield rule.regex.pattern.partition("]")[0].removeprefix("[")
        elif isinstance(rule, validate.Length):
            yield f"{rule.min} to {rule.max:,} code points" if rule.min else f"at most {rule.max:,} code points"
        else:
            assert isinstance(rule, validate.OneOf), f"this test does not know how {rule!r} is written"
            yield "one of " + ", ".join(map(str, rule.choices))


@pytest.mark.asvs("2.1.1")
def test_every_other_input_stands_in_the_table(development_app: Flask) -> None:
    documented = {name(row["input"]) for row in table(SECURITY, "Fields", 2)}
    in_paths = {argument for rule in development_app.url_map.iter_rules() for argument in rule.arguments}
    in_queries = {
        literal(call.args[0]) or getattr(import_module(module.dotted), ast.unparse(call.args[0]))
        for module in modules()
        for called, call in module.calls()
        if called in ("flask.request.args.get", "flask.request.args.getlist") and call.args
    }
    in_queries |= set(bodies.EventsQuery().fields) | set(bodies.AuthorizeQuery().fields)
    assert documented == in_paths | in_queries, "docs/security.md, Fields, third table"


@pytest.mark.asvs("2.1.2")
def test_every_combined_rule_names_a_test_that_exists() -> None:
    rows = table(SECURITY, "Combined rules")
    assert len(rows) >= 8
    for row in rows:
        for place in names(row["where"]):
            assert (ROOT / "webapp" / place).is_file(), place
        assert names(row["tested by"]), row
        for test in names(row["tested by"]):
            file, _, function = test.partition("::")
            assert (ROOT / file).is_file(), test
            assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8"), test


@pytest.mark.asvs("6.1.2")
def test_the_context_words_are_those_the_rule_loads() -> None:
    documented = {name(row["from"]): tuple(names(row["words"])) for row in table(SECURITY, "Context words")}
    assert documented == {
        "policy.passwords.SITE_WORDS": passwords.SITE_WORDS,
        "policy.passwords.KOREAN_SITE_WORDS": passwords.KOREAN_SITE_WORDS,
    }
    for word in (*passwords.SITE_WORDS, *passwords.KOREAN_SITE_WORDS):
        judged = passwords.judge_password(
            word * 8, min_length=15, breached=(), email="a@example.com", name="", site_name="Doorway"
        )
        assert judged is passwords.PasswordRule.EXPECTED, word


# Limits


def _window(window: Window) -> tuple[int, timedelta]:
    return window.amount, window.length


def _stated_window(text: str) -> tuple[int, timedelta]:
    amount, _, length = text.partition(" in ")
    told = meaning(length)
    assert isinstance(told, timedelta), text
    return int(amount), told


@pytest.mark.asvs("2.1.3", "6.1.1")
def test_every_limit_stands_in_the_table_with_its_numbers() -> None:
    after = {OnSuccess.START_AGAIN: "starts again", OnSuccess.GIVE_BACK: "is given back", OnSuccess.STANDS: "stands"}
    silent = {
        ast.unparse(call.args[0]).removeprefix("Limit.")
        for module in modules()
        for _, call in module.calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr == "allows"
    }
    documented = {name(row["counter"]): row for row in table(SECURITY, "Limits")}
    assert set(documented) == {limit.counter for limit in Limit}, "docs/security.md, Limits: one row for each"
    for limit in Limit:
        row = documented[limit.counter]
        assert row["one for each"] == limit.one_for_each
        assert [_stated_window(part) for part in row["at most"].split(", ")] == [*map(_window, limit.windows)]
        assert row["after a success"] == after[limit.on_success]
        assert row["beyond it"] == ("silence" if limit.name in silent else "429"), limit


@pytest.mark.asvs("6.1.1")
def test_the_counters_of_a_guess_are_those_that_are_told() -> None:
    stranger, owner = (
        [bucket.limit.counter for bucket in login_buckets(account="a", network="n", known_device=device)]
        for device in (None, "d")
    )
    told = [names(row["counters, in this order"]) for row in table(SECURITY, "Guessing")]
    assert told[:2] == [owner, stranger]
    assert {counter for counters in told for counter in counters} <= {limit.counter for limit in Limit}
    doors = {name(row["endpoint"]): row for row in table(SECURITY, "Ways in")}
    for door in ("auth.login", "api.login"):
        assert sorted(names(doors[door]["counters"])) == sorted(owner + stranger), door


# Ways in and lifetimes


@pytest.mark.asvs("6.1.3")
def test_every_route_that_can_start_a_login_session_is_a_way_in() -> None:
    documented = {name(row["endpoint"]) for row in table(SECURITY, "Ways in")}
    delivering = {
        f"{module.name.split('/')[1]}.{function.name}"
        for module in modules()
        if module.name.startswith("blueprints/")
        for function in module.tree.body
        if isinstance(function, ast.FunctionDef) and re.search(r"_delivery\.deliver\(", ast.unparse(function))
    }
    delivering = {DELIVERED_FOR.get(place, place) for place in delivering}
    assert documented == delivering, "docs/security.md, Ways in: one row for each view that delivers a sign-in"
    told = {method for row in table(SECURITY, "Ways in") for method in names(row["what it proves"])}
    by_factor = {method for methods in second_factor._AMR.values() for method in methods}
    by_passkey = {"hwk", "swk"}
    assert told == {sign_in.PASSWORD, sign_in.MAILED_LINK, GOOGLE, sign_in.MULTI_FACTOR} | by_factor | by_passkey
    assert all(row["factors"] and row["counters"] for row in table(SECURITY, "Ways in"))


@pytest.mark.asvs("6.1.3")
def test_a_login_session_is_started_by_services_alone_and_by_few() -> None:
    starting = {
        module.name
        for module in modules()
        for called, _ in module.calls()
        if called.endswith(("start_sign_in", "_start_login_session"))
    }
    assert starting == {
        "blueprints/auth/views.py",
        "blueprints/auth/links.py",
        "blueprints/auth/mailed.py",
        "blueprints/auth/passkey.py",
        "services/federation.py",
        "services/tokens.py",
        "services/sign_in.py",
    }


@pytest.mark.asvs("7.1.1")
def test_the_lifetimes_of_sessions_are_compared_with_those_of_nist() -> None:
    compared = {
        name(row["set by"]): row["NIST SP 800-63B-4"]
        for row in table(SECURITY, "Lifetimes")
        if name(row["set by"]).startswith(("SESSION_", "REMEMBER_", "JWT_REFRESH"))
    }
    fields = {
        info.alias
        for field, info in Settings.model_fields.items()
        if field.startswith(("SESSION_", "REMEMBER_", "JWT_REFRESH"))
    }
    assert set(compared) == fields
    assert all("AAL" in told for told in compared.values())
    assert settings_field("REMEMBER_ABSOLUTE_SECONDS") <= timedelta(days=30)  # type: ignore[operator]
    assert settings_field("SESSION_ABSOLUTE_SECONDS") <= timedelta(hours=24)  # type: ignore[operator]
    assert settings_field("JWT_REFRESH_SECONDS") <= timedelta(days=30)  # type: ignore[operator]


@pytest.mark.asvs("9.2.2", "9.2.4")
def test_tokens_are_what_the_table_says() -> None:
    access, refresh = table(SECURITY, "Tokens")
    for row, module, algorithm in (
        (access, access_tokens, key_ring.ALGORITHM),
        (refresh, refresh_tokens, refresh_tokens.ALGORITHM),
    ):
        assert name(row["`typ`"]) == module.TYPE
        assert name(row["`alg`"]) == algorithm
        assert set(names(row["claims"])) == module._CLAIMS
    assert access["`aud`"] != refresh["`aud`"]
    ring: Any = None
    sealer: Any = Sealer("k" * 40)
    made = {
        access["`aud`"]: access_tokens.AccessTokens(ring, issuer="PUBLIC_URL", life=timedelta(minutes=10)),
        refresh["`aud`"]: refresh_tokens.RefreshTokens(sealer, issuer="PUBLIC_URL"),
    }
    assert all(name(told) == tokens._form.audience for told, tokens in made.items())  # type: ignore[attr-defined]


@pytest.mark.asvs("10.3.5", "10.4.4")
def test_every_decision_about_tokens_names_its_source_and_its_reason() -> None:
    rows = {row["decision"]: row for row in table(SECURITY, "Decisions")}
    for decided in ("ES256", "client_id", "scope", "HS256", "/api/v1/auth/login", "idle time", "30 seconds"):
        assert any(decided in decision for decision in rows), decided
    assert all(re.search(r"RFC \d{4}", row["source"]) and row["instead of"] and row["why"] for row in rows.values())
    assert "exception to ASVS\n10.3.5" in SECURITY.read_text(encoding="utf-8"), "tokens are not bound to a device"


@pytest.mark.asvs("7.1.2")
def test_how_many_sessions_there_may_be_is_told_with_what_happens_at_one_more() -> None:
    (row,) = table(SECURITY, "Parallel sessions")
    assert name(row["set by"]) == "policy.login_sessions.MOST_A_USER"
    assert "longest ends" in row["at one more"]


@pytest.mark.asvs("8.1.3", "8.1.4")
def test_every_circumstance_has_its_threshold_and_its_action() -> None:
    rows = {row["circumstance"]: row for row in table(SECURITY, "Context")}
    assert {"age of the proof", "known device", "network", "failures on one account", "user agent"} <= set(rows)
    assert all(row["comes from"] and row["threshold"] and row["action"] for row in rows.values())
    counters = {limit.counter for limit in Limit}
    for row in rows.values():
        for threshold in names(row["threshold"]):
            assert threshold in counters or value_of(threshold) or settings_field(threshold), threshold
    for shared in ("login_account_network", "login_network", "login_account", "login_device", "mail_address"):
        assert any(shared in row["threshold"] for row in rows.values()), shared


@pytest.mark.asvs("3.1.1")
def test_every_feature_that_browsers_must_have_is_named_with_what_happens_without(development_app: Flask) -> None:
    rows = table(SECURITY, "Browsers")
    features = " ".join(row["feature"] for row in rows)
    for feature in ("HTTPS", "HSTS", "CSP", "SameSite", "__Host-", "Sec-Fetch-Site", "Cookies", "JavaScript"):
        assert feature in features
    for header in (*COMMON_HEADERS, "Permissions-Policy", "Content-Security-Policy", "Strict-Transport-Security"):
        assert f"`{header}`" in features, f"docs/security.md, Browsers: {header}"
    assert all(row["what it does here"] and row["without it"] for row in rows)


# Keys and cryptography


@pytest.mark.asvs("11.1.1")
def test_every_place_that_reads_the_secret_key_stands_in_the_table_of_keys() -> None:
    rows = table(SECURITY, "Keys")
    told = {place for row in rows for place in names(row["made by"]) if place.endswith(".py")}
    reading = {
        module.name
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in ("SECRET_KEY", "SECRET_KEY_FALLBACKS")
    }
    hand_on = {"__init__.py", "settings.py"}  # Flask's own settings, and the sealer
    assert told == reading - hand_on | {"services/sealing.py", "services/key_ring.py"}
    assert all(all(row.values()) for row in rows)


@pytest.mark.asvs("11.1.1", "13.1.4")
def test_every_secret_setting_has_its_rotation() -> None:
    rows = {name(row["setting"]): row["rotation"] for row in table(SECURITY, "Keys", 1)}
    secret = {info.alias or field for field, info in Settings.model_fields.items() if not info.repr}
    named = {
        info.alias or field
        for field, info in Settings.model_fields.items()
        if re.search(r"SECRET|PASSWORD$|TOKEN|PRIVATE|_URL$|^OIDC_PROVIDERS$", field)
        and field not in ("PUBLIC_URL", "GOOGLE_METADATA_URL", "GOOGLE_RISC_METADATA_URL", "STAND_IN_PROVIDER_URL")
    }
    assert set(rows) == secret == named, "docs/security.md, Keys, second table; a secret field has repr=False"
    assert all(rows.values())


@pytest.mark.asvs("11.1.2", "11.1.3")
def test_every_use_of_cryptography_stands_in_the_table() -> None:
    documented = {name(row["call"]): set(names(row["where"])) for row in table(SECURITY, "Cryptography")}
    real: dict[str, set[str]] = {}
    for module in modules():
        for used in module.uses():
            is_crypto = used.partition(".")[0] in CRYPTOGRAPHY and "." in used
            if used == "uuid.uuid4" or (is_crypto and not NO_CALL.search(used)):
                real.setdefault(used, set()).add(module.name)
    assert documented == real, "docs/security.md, Cryptography: call, algorithm, for what, where"


@pytest.mark.asvs("11.1.2")
def test_the_keys_that_passkeys_may_have_are_told_each_with_its_reason() -> None:
    rows = table(SECURITY, "Second factors", 1)
    told = [names(row["key of a passkey"])[0] for row in rows if row["taken"] == "yes"]
    cose = {"ES256": "ECDSA_SHA_256", "EdDSA": "EDDSA", "RS256": "RSASSA_PKCS1_v1_5_SHA_256"}
    assert [cose[key] for key in told] == [algorithm.name for algorithm in passkey_keys.ALGORITHMS]
    bits, exponent = passkey_keys._RSA_BITS, passkey_keys._RSA_EXPONENT
    (rsa,) = (row for row in rows if "RS256" in row["key of a passkey"])
    assert f"{bits.start:,} to {bits.stop - 1:,} bits, exponent {exponent:,}" in rsa["key of a passkey"]
    assert "exception to ASVS" in rsa["why"]
    assert rows[-1]["taken"] == "no"


@pytest.mark.asvs("6.4.4")
def test_what_follows_when_a_factor_is_lost_is_told() -> None:
    rows = {row["what happens"]: row["what follows"] for row in table(SECURITY, "Losing one, and what is promised")}
    assert "no factor is removed" in rows["the password is reset by mail"]
    assert "`flask --app wsgi users reset-factors EMAIL`" in rows["all factors are lost"]
    (alarm,) = (row for row in rows if "this was not me" in row)
    assert f"younger than {factors.RECENT.days} days are removed" in rows[alarm]
    assert LIFE[Purpose.UNDO_EMAIL_CHANGE] == factors.RECENT
    assert all(rows.values())


@pytest.mark.asvs("11.1.4")
def test_every_algorithm_has_a_successor_or_a_way_to_one() -> None:
    used = {row["algorithm"] for row in table(SECURITY, "Cryptography")}
    rows = {row["algorithm"]: row for row in table(SECURITY, "When an algorithm falls")}
    assert set(rows) == used
    assert all(row["how it is replaced"] and row["quantum computers"] for row in rows.values())


# Refusals


def test_every_code_has_the_status_that_apps_get() -> None:
    rows = {name(row["code"]): row["API"] for row in table(SECURITY, "Errors")}
    kinds = {kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}
    for code, told in rows.items():
        status = STATUS.get(kinds[code])
        assert told.startswith(str(status) if status else "never"), code
    by_status = {int(row["status"]): name(row["code"]) for row in table(SECURITY, "Errors", 1)}
    assert by_status == CODES


# The outside


@pytest.mark.asvs("13.1.1", "13.2.4")
def test_connections_are_opened_only_where_the_table_says_and_only_to_addresses_from_settings() -> None:
    rows = table(SECURITY, "Who we talk to")
    told = {place for row in rows for place in names(row["opened by"])}
    opening = {module.name for module in modules() if any(used.startswith(CONNECTS) for used in module.uses())}
    assert told == opening, "docs/security.md, Who we talk to: opened by"
    for row in rows:
        assert name(row["address"]) in Settings.model_fields
        assert row["in transit"]
        assert row["when it does not answer"]


@pytest.mark.asvs("13.2.4")
def test_no_host_is_written_into_the_code() -> None:
    # The default of PUBLIC_URL and hints; a mail that nobody gets; examples in the document of the API.
    allowed = {"settings.py", "services/outbox.py", "blueprints/api/replies.py", "blueprints/api/headers.py"}
    # The default of GOOGLE_METADATA_URL and hints; an issuer and kinds of events, which are compared and never opened.
    allowed |= {"provider_settings.py", "gateways/id_token.py", "policy/cross_account.py"}
    written = [
        module.where(node)
        for module in modules()
        if module.name not in allowed
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"\b(https?|smtps?|rediss?|postgresql)://[\w.]*\w", node.value)
        and not _is_docstring(module, node)
        and "?starttls=1" not in node.value
    ]
    assert written == []


def _is_docstring(module: Module, node: ast.Constant) -> bool:
    return any(isinstance(parent, ast.Expr) and parent.value is node for parent in ast.walk(module.tree))


@pytest.mark.asvs("13.1.2")
def test_the_pool_has_a_connection_for_everybody_who_may_want_one() -> None:
    app = create_app(
        Settings.checked(APP_ENV="testing", SECRET_KEY="k" * 40, DATABASE_URL="postgresql://a:b@127.0.0.1:1/c")
    )
    with app.app_context():
        assert db.engine.pool.size() == value_of("pool.database")  # type: ignore[attr-defined]


# The project


@pytest.mark.asvs("15.1.1")
def test_updates_have_their_times_by_severity() -> None:
    told = {row["severity of a weakness in a library"]: row["mended within"] for row in table(SECURITY, "Updates")}
    assert list(told) == ["critical", "high", "medium", "low"]
    times = [meaning(cell) for cell in told.values()]
    assert all(isinstance(time, timedelta) for time in times)
    assert times == sorted(times)  # type: ignore[type-var]
    assert re.search(r"Every \d+ days `make lock ARGS=--upgrade`", SECURITY.read_text(encoding="utf-8"))


@pytest.mark.asvs("15.1.3")
def test_the_costly_work_is_told_with_what_bounds_it() -> None:
    rows = table(SECURITY, "Costly work")
    for work in ("hashing", "sending mails", "export", "breached"):
        assert any(work in row["work"] for row in rows), work
    assert all(row["what else bounds it"] for row in rows)


@pytest.mark.asvs("15.1.4")
def test_every_requirement_is_judged() -> None:
    rows = table(SECURITY, "Risky parts")
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    required = [line.partition("#")[0].strip() for line in lines if line.partition("#")[0].strip()]
    assert sorted(name(row["requirement"]) for row in rows) == sorted(required), "docs/security.md, Risky parts"
    assert all(row["for"] and row["judgement"] for row in rows)


@pytest.mark.asvs("15.1.5")
def test_every_module_that_does_something_dangerous_is_named() -> None:
    told: dict[str, set[str]] = {
        row["what"]: set(names(row["where"])) for row in table(SECURITY, "Dangerous functions")
    }
    assert all((ROOT / "webapp" / place).is_file() for places in told.values() for place in places)
    parsing = ("msgspec.msgpack.Decoder", "msgspec.msgpack.decode", "json.loads", "json.load", "flask.json.loads")
    real = {
        "deserialization": _calling(*parsing),
        "calls to others": _calling("authlib.integrations.requests_client.OAuth2Session", "requests.Session")
        - _only_an_address(),
        "SQL as text": _calling("sqlalchemy.text") | _executing_text(),
        "redirects": _calling("flask.redirect") - _views(),
    }
    for what, places in real.items():
        assert told[what] == places, f"docs/security.md, Dangerous functions: {what}"


def _calling(*functions: str) -> set[str]:
    return {module.name for module in modules() for called, _ in module.calls() if called in functions}


def _only_an_address() -> set[str]:
    """The session of the library there makes the address that a browser is sent to, and opens nothing."""
    return {"gateways/relying_party.py"}


def _executing_text() -> set[str]:
    return {
        module.name
        for module in modules()
        for called, _ in module.calls()
        if called.endswith((".exec_driver_sql", "cursor.execute"))
    }


def _views() -> set[str]:
    """Views redirect to routes of ours, or through `safe_next`."""
    return {module.name for module in modules() if module.name.startswith("blueprints/")}


# Logs and data


@pytest.mark.asvs("16.1.1")
def test_every_event_that_is_logged_is_told() -> None:
    documented = {name(row["event"]): set(names(row["fields of its own"])) for row in table(SECURITY, "Logs", 1)}
    real: dict[str, set[str]] = {}
    for module, event, call in log_calls():
        fields = {keyword.arg for keyword in call.keywords if keyword.arg}
        fields |= {"exception"} if "exc_info" in fields or "exception" in ast.unparse(call.func) else set()
        fields |= _bound(module) if isinstance(call.func, ast.Attribute) and _is_bound(call.func.value) else set()
        real.setdefault(event, set()).update(fields - {"exc_info"})
    assert documented == real, "docs/security.md, Logs: event, when, fields of its own"
    told = re.search(r"logged under the same names(.*?)\.\n", SECURITY.read_text(encoding="utf-8"), re.DOTALL)
    assert told is not None
    kinds = set(names(told[1].partition(":")[2]))
    assert kinds == {kind.value for kind in EventKind}, "docs/security.md, Logs: the events an owner reads"
    assert all(all(row.values()) for row in table(SECURITY, "Logs"))


@pytest.mark.asvs("16.2.3")
def test_logs_go_to_the_documented_stream_and_nowhere_else(
    development_app: Flask, capfd: pytest.CaptureFixture[str]
) -> None:
    assert table(SECURITY, "Logs")[0]["place"] == "stderr, and nowhere else"
    loggers = [logging.getLogger(), *(logging.getLogger(known) for known in logging.root.manager.loggerDict)]
    handlers = {type(handler).__name__ for logger in loggers for handler in logger.handlers}
    of_pytest = {"LogCaptureHandler", "_LiveLoggingNullHandler", "_FileHandler"}
    assert handlers - of_pytest - {"NullHandler"} == {"_Stderr"}
    elsewhere = ("logging.FileHandler", "logging.handlers", "logging.config", "syslog", "structlog.WriteLogger")
    assert {used for module in modules() for used in module.uses() if used.startswith(elsewhere)} == set()
    development_app.test_client().get("/nowhere")
    written = capfd.readouterr()
    assert written.out == ""
    assert "request_id" in written.err


def _is_bound(logger: ast.expr) -> bool:
    return isinstance(logger, ast.Name) and logger.id == "log"


def _bound(module: Module) -> set[str]:
    return {
        keyword.arg
        for _, call in module.calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr == "bind"
        for keyword in call.keywords
        if keyword.arg
    }


@pytest.mark.asvs("14.1.1")
def test_every_column_has_a_level() -> None:
    levels = {row["level"] for row in table(DATA, "Levels")}
    rows = table(DATA, "Columns")
    documented = [(name(row["table"]), column) for row in rows for column in names(row["columns"])]
    real = {(found.name, column.name) for found in Base.metadata.sorted_tables for column in found.columns}
    assert set(documented) == real, "docs/data.md, Columns: give each column a level"
    assert len(documented) == len(real)
    assert {row["level"] for row in rows} <= levels
    secret = {column for row in rows if row["level"] == "secret" for column in names(row["columns"])}
    assert {
        column for _, column in real if column.endswith("_hash") or column in ("sealed", "key", "data")
    } <= secret | {
        "data",
        "key",
    }


@pytest.mark.asvs("14.1.1")
def test_every_cookie_has_a_level(development_app: Flask) -> None:
    documented = {name(row["cookie"]) for row in (*table(DATA, "Cookies"), *table(DATA, "Cookies", 1))}
    sessions = development_app.session_interface
    assert isinstance(sessions, CookieSessions)
    config = development_app.config
    real = {sessions.id_name, sessions.visitor_name, config[DEVICE_COOKIE_NAME], config[LOCALE_COOKIE_NAME]}
    real |= {config[TRUST_COOKIE_NAME], *handshake_cookie_names(is_https=False)}
    assert documented == real | {refresh_cookie_name(development_app)}
    assert f"`Path={COOKIE_PATH}`" in DATA.read_text(encoding="utf-8")
    setting = {
        module.name
        for module in modules()
        for called, call in module.calls()
        if (isinstance(call.func, ast.Attribute) and call.func.attr == "set_cookie")
        or called.rpartition(".")[2] == "set_own_cookie"
    }
    known = {"http/cookie_delivery.py", "http/cookie_sessions.py", "http/locale.py", "http/token_delivery.py"}
    known |= {"http/handshake.py", "http/own_cookies.py"}
    assert setting == known, "a new cookie needs a row in docs/data.md, Cookies"


@pytest.mark.asvs("14.1.1")
def test_every_log_field_has_a_level() -> None:
    documented = {name(row["field"]): row["level"] for row in table(DATA, "Log fields")}
    of_every_line = {"timestamp", "level", "logger", "event", "exception", "outcome", "browser"}
    written = {keyword.arg for _, _, call in log_calls() for keyword in call.keywords if keyword.arg} - {"exc_info"}
    bound = {field for module in modules() for field in _bound(module) | _bound_to_the_request(module)}
    assert set(documented) == of_every_line | written | bound | {"login_session_id"}, "docs/data.md, Log fields"
    assert set(documented.values()) <= {"internal", "public"}, "what is secret or personal is not logged"


def _bound_to_the_request(module: Module) -> set[str]:
    return {
        keyword.arg
        for called, call in module.calls()
        if called.endswith(("bind_log_context", "begin_log_context"))
        for keyword in call.keywords
        if keyword.arg
    }


@pytest.mark.asvs("14.1.2")
def test_every_level_says_how_it_is_guarded() -> None:
    rows = table(DATA, "Levels")
    assert [row["level"] for row in rows] == ["secret", "personal", "internal", "public"]
    assert all(row[column] for row in rows for column in ("encryption", "retention", "logging", "access"))


@pytest.mark.asvs("14.1.2")
def test_every_table_has_its_time() -> None:
    kept = {names(row["what"])[0] for row in table(DATA, "Retention")}
    assert kept == set(Base.metadata.tables), "docs/data.md, Retention: one row or more for each table"


def test_the_ids_of_marks_in_the_tests_about_documents_are_read() -> None:
    assert len(marks_of_file(ROOT / "tests" / "asvs" / "test_documentation.py", ROOT)) >= 27
