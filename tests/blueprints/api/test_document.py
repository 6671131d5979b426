"""The document of the API is whole and true: every call, every code, every header, with examples that fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from werkzeug.routing import Rule

from tests.blueprints.api.calls import Site
from tests.conftest import NewApp
from tests.rows import on_sqlite
from webapp import errors
from webapp.blueprints.api.bodies import LONGEST_ID_TOKEN
from webapp.blueprints.api.docs_page import RESOURCES, operations_of
from webapp.errors import DomainError
from webapp.http.access import OPEN_ENDPOINTS
from webapp.http.problems import CODES, MEDIA_TYPE, STATUS, challenge_of, told_codes
from webapp.provider_settings import DISCOVERY_PATH

Doc = dict[str, Any]
# Not told as they are: the one becomes session_revoked, the other has kinds with codes of their own.
NEVER_TOLD = {errors.NotSignedIn.code}
# What a browser meets on its way to a provider and back; the app that sent it hears `error`.
ON_THE_WAY = (
    errors.AuthorizationExpired,
    errors.AuthorizationDenied,
    errors.ProviderProofTooOld,
    errors.IdentityElsewhere,
)
OF_NO_CALL = {"method_not_allowed"}  # a call that is written down takes its method


@pytest.fixture(scope="module")
def document(site: Site) -> Doc:
    """openapi.json, as anybody gets it."""
    answer = site.send("GET", "/openapi.json", token=False)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    found: Doc = answer.json
    return found


def operations(document: Doc) -> Iterator[tuple[str, str, Doc]]:
    """Path, method and operation of each call."""
    for path, method, operation in operations_of(document):
        yield path, method, dict(operation)


def responses(document: Doc) -> Iterator[tuple[str, Doc]]:
    """Every answer in the document, with its status; those that stand by themselves, too."""
    for _, _, operation in operations(document):
        yield from operation["responses"].items()
    for response in document["components"]["responses"].values():
        (example,) = examples(document, response)
        yield str(example["status"]), response


def examples(document: Doc, message: Doc) -> Iterator[Any]:
    """The examples of a body or an answer, wherever they stand."""
    for content in message.get("content", {}).values():
        if "example" in content:
            yield content["example"]
        for example in content.get("examples", {}).values():
            yield resolved(document, example)["value"]


def resolved(document: Doc, found: Doc) -> Doc:
    """What a reference leads to."""
    if "$ref" not in found:
        return found
    target: Any = document
    for part in found["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return dict(target)


def rule_of(app: Flask, path: str, method: str) -> Rule:
    """The route of a call."""
    flasks = path.replace("{login_session_id}", "<uuid:login_session_id>").replace("/google/", "/<provider>/")
    (rule,) = [rule for rule in app.url_map.iter_rules() if rule.rule == flasks and method.upper() in rule.methods]
    return rule


def test_it_is_valid_openapi(document: Doc) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document)


def test_every_route_is_written_down_and_nothing_else(document: Doc, site: Site) -> None:
    rules = [rule for rule in site.app.url_map.iter_rules() if rule.rule.startswith("/api/")]
    routes = {
        (rule.endpoint, method) for rule in rules for method in rule.methods or () if method not in ("HEAD", "OPTIONS")
    }
    written = [(rule_of(site.app, path, method).endpoint, method.upper()) for path, method, _ in operations(document)]
    assert sorted(written) == sorted(routes)


def test_every_call_has_a_name_of_its_own_and_says_what_it_does(document: Doc) -> None:
    calls = [operation for _, _, operation in operations(document)]
    names = [call["operationId"] for call in calls]
    assert len(set(names)) == len(names)
    for call in calls:
        assert 2 < len(call["summary"]) < 120, call["operationId"]
        assert not call["summary"].endswith(".")
        assert call["description"].endswith(".")
        assert call["tags"][0] in RESOURCES
    assert [tag["name"] for tag in document["tags"]] == list(RESOURCES)
    assert all(tag["description"] for tag in document["tags"])


@pytest.mark.asvs("8.3.1")
def test_whoever_needs_no_token_by_the_document_needs_none(document: Doc, site: Site) -> None:
    for path, method, operation in operations(document):
        is_open = operation["security"] == [] or {} in operation["security"]
        assert is_open == (rule_of(site.app, path, method).endpoint in OPEN_ENDPOINTS), path
        if not is_open:
            assert operation["security"] == [{"accessToken": []}]


def test_the_cookie_is_written_down_where_it_counts(document: Doc) -> None:
    by_name = {operation["operationId"]: operation["security"] for _, _, operation in operations(document)}
    assert by_name["refresh"] == [{"refreshToken": []}, {}]
    assert by_name["logout"] == [{"accessToken": []}, {"refreshToken": []}, {}]
    with_cookie = {name for name, ways in by_name.items() if {"refreshToken": []} in ways}
    assert with_cookie == {"refresh", "logout"}
    refusing_origins = {
        operation["operationId"]
        for _, _, operation in operations(document)
        for example in examples(document, operation["responses"]["403"])
        if example["code"] == "origin_refused"
    }
    assert refusing_origins == {
        *("login", "keep_account", "pass_second_factor", "refresh", "logout"),
        *("exchange_code", "sign_in_with_id_token", "sign_in_with_passkey"),
    }


@on_sqlite
def test_the_calls_of_each_provider_stand_under_its_own_name(new_app: NewApp) -> None:
    acme = {"name": "acme", "label": "Acme", "client_id": "x", "metadata_url": f"http://127.0.0.1:9{DISCOVERY_PATH}"}
    app = new_app(OIDC_PROVIDERS=json.dumps([acme]))
    document: Doc = app.test_client().get("/api/v1/openapi.json").json
    validate(document)
    calls = {path: operation for path, _, operation in operations(document)}
    for name in ("authorize", "token", "nonce", "id-token"):
        google, other = (calls[f"/api/v1/auth/{provider}/{name}"] for provider in ("google", "acme"))
        assert other["operationId"] == f"{google['operationId']}_acme"
        assert {**other, "operationId": google["operationId"]} == google
    assert not [path for path in document["paths"] if "provider" in path]
    assert app.test_client().get("/api/v1/docs").status_code == 200


@on_sqlite
@pytest.mark.parametrize(
    ("public_url", "name"), [("http://127.0.0.1:8000", "refresh"), ("https://login.example.com", "__Secure-refresh")]
)
def test_it_names_the_cookie_and_the_address_of_this_site(new_app: NewApp, public_url: str, name: str) -> None:
    answer = new_app(PUBLIC_URL=public_url).test_client().get("/api/v1/openapi.json", base_url=public_url)
    assert answer.json["components"]["securitySchemes"]["refreshToken"]["name"] == name
    assert answer.json["servers"] == [{"url": public_url}]
    assert f"{public_url}/api/v1/docs#token_expired" in answer.text


def test_every_code_that_a_client_can_meet_is_written_down_with_its_status(document: Doc) -> None:
    found = {
        (example["code"], int(status))
        for status, response in responses(document)
        if status >= "4"
        for example in examples(document, response)
    }
    # Somebody who is signed in and mistypes their own password does not have to sign in anew.
    assert found == {*told_codes().items(), ("invalid_credentials", 403)}
    of_calls = {
        example["code"]
        for _, _, operation in operations(document)
        for status, response in operation["responses"].items()
        if status >= "4"
        for example in examples(document, response)
    }
    assert of_calls == set(told_codes()) - OF_NO_CALL
    assert document["components"]["schemas"]["ProblemReply"]["properties"]["code"]["examples"] == list(told_codes())


def test_no_code_is_kept_quiet_but_those_that_become_another() -> None:
    assert {kind.code for kind in STATUS} | set(CODES.values()) == set(told_codes()) | NEVER_TOLD


def kinds() -> list[type[DomainError]]:
    """Every refusal that services can give."""
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DomainError)]


def test_what_has_no_code_here_is_refused_on_pages_only() -> None:
    assert {kind.code for kind in kinds()} - {kind.code for kind in STATUS} == {
        errors.DomainError.code,
        errors.EmailUnchanged.code,
        errors.EmailTaken.code,
        *(kind.code for kind in ON_THE_WAY),
        errors.LastWayIn.code,
        errors.EventRefused.code,
        errors.PasskeyKnown.code,
        errors.TooManyPasskeys.code,
        errors.LastFactorRequired.code,
    }


def test_every_answer_is_a_problem_document_or_what_was_asked_for(document: Doc) -> None:
    for status, response in responses(document):
        if status >= "4":
            assert list(response["content"]) == [MEDIA_TYPE]
            assert all(example["status"] == int(status) for example in examples(document, response))
        elif status in ("204", "302"):
            assert "content" not in response
        else:
            assert list(response["content"]) in (["application/json"], ["text/html"])


def test_every_answer_says_which_headers_it_has(document: Doc) -> None:
    for status, response in responses(document):
        headers = {name: resolved(document, header) for name, header in response["headers"].items()}
        always = {name for name, header in headers.items() if header["required"]}
        expected = {
            "401": {"WWW-Authenticate"},
            "405": {"Allow"},
            "429": {"Retry-After"},
            "503": {"Retry-After"},
        }.get(status, set())
        assert always == {"X-Request-ID", *expected}, status
        assert all(header["description"] and "example" in header for header in headers.values())
    names = {operation["operationId"]: operation["responses"] for _, _, operation in operations(document)}
    for name, answers in names.items():
        is_limited = "429" in answers
        limits = {status for status, answer in answers.items() if "X-RateLimit-Remaining" in answer["headers"]}
        assert limits == (
            {status for status in answers if status < "5" and status != "413"} if is_limited else set()
        ), name
    assert "Link" in names["list_events"]["200"]["headers"]
    with_cookie = {
        name for name, answers in names.items() for answer in answers.values() if "Set-Cookie" in answer["headers"]
    }
    assert with_cookie == {
        *("reset_password", "login", "keep_account", "pass_second_factor", "refresh", "logout", "logout_all"),
        *("authorize", "exchange_code", "sign_in_with_id_token", "sign_in_with_passkey"),
    }
    assert "Location" in names["authorize"]["302"]["headers"]


def test_the_challenge_in_the_document_is_one_that_is_sent(document: Doc) -> None:
    example = document["components"]["headers"]["WWW-Authenticate"]["example"]
    assert example in {challenge_of(code) for code in told_codes()}


def contents(document: Doc) -> Iterator[tuple[str, Doc]]:
    """Every body and answer that is JSON."""
    for path, method, operation in operations(document):
        messages = [*operation["responses"].values(), *filter(None, [operation.get("requestBody")])]
        for message in messages:
            for media_type, content in message.get("content", {}).items():
                if media_type != "text/html":
                    yield f"{method} {path} {message.get('description', 'body')}", content


def test_every_body_and_answer_has_an_example_that_fits(document: Doc) -> None:
    for place, content in contents(document):
        if content["schema"] == {"type": "object", "required": ["openapi", "info", "paths"]}:
            continue  # the document itself
        validator = Draft202012Validator(
            {**content["schema"], "components": document["components"]},
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        )
        found = list(examples(document, {"content": {"": content}}))
        assert found, place
        for example in found:
            validator.validate(example)


@pytest.mark.asvs("15.3.3")
def test_every_body_is_bounded(document: Doc) -> None:
    bodies = [operation["requestBody"] for _, _, operation in operations(document) if "requestBody" in operation]
    assert len(bodies) >= 13
    for body in bodies:
        (content,) = body["content"].values()
        schema = resolved(document, content["schema"])
        assert schema["additionalProperties"] is False
        for name, member in schema["properties"].items():
            assert member["description"], name
            assert member["examples"], name
            if (
                name == "credential"
            ):  # the one object; what is in it is a standard's, which grows, and the body bounds it
                assert member["type"] == "object"
                continue
            assert member["type"] == "string"
            most = LONGEST_ID_TOKEN if name == "id_token" else 2048
            assert "enum" in member or (member["maxLength"] <= most and re.compile(member["pattern"])), name


def test_every_member_of_every_answer_is_described_by_type(document: Doc) -> None:
    for name, schema in document["components"]["schemas"].items():
        for member, about in schema["properties"].items():
            assert "type" in about or "$ref" in about, f"{name}.{member}"


def test_the_parameters_say_what_they_take(document: Doc) -> None:
    found = [parameter for _, _, operation in operations(document) for parameter in operation["parameters"]]
    assert {parameter["name"] for parameter in found} == {
        *("before", "limit", "login_session_id"),
        *("redirect_uri", "state", "code_challenge", "code_challenge_method"),
    }
    for parameter in found:
        assert parameter["schema"]["type"] in ("string", "integer")
        assert parameter["schema"]["examples"]
