"""What no honest app sends: each is refused with a problem document that says where, and nothing changes."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest
from werkzeug.test import TestResponse

from scripts import translations
from tests.apps import problem
from tests.blueprints.api.calls import CALLS, REDIRECT_URI, Call, Site
from tests.people import PASSWORD, Browser
from webapp.http.request_checks import MAX_JSON

LIMIT = MAX_JSON
FORM = "application/x-www-form-urlencoded"
NOBODY = "0199c0de-0000-7000-8000-00000000c0de"


@dataclass(frozen=True)
class Bad:
    """A body that no call takes, and how each refuses it. `{field}` is the first member of the call's body."""

    data: Callable[[Call], bytes]
    status: int
    code: str
    pointer: str | None = None
    why: str | None = None
    headers: dict[str, str | None] = field(default_factory=dict)


def value(raw: str | bytes) -> Callable[[Call], bytes]:
    """The honest body with this in place of the value of its first member."""
    return lambda call: call.raw(raw.encode() if isinstance(raw, str) else raw)


def whole(raw: str | bytes) -> Callable[[Call], bytes]:
    """This and nothing else."""
    return lambda _: raw.encode() if isinstance(raw, str) else raw


def honest(call: Call) -> bytes:
    return call.json()


def and_then(raw: bytes) -> Callable[[Call], bytes]:
    """The honest body with one more member."""
    return lambda call: call.json()[:-1] + b", " + raw + b"}"


def unfit(data: Callable[[Call], bytes], pointer: str = "/{field}") -> Bad:
    return Bad(data, 422, "validation_failed", pointer)


def malformed(data: Callable[[Call], bytes], why: str = "not_json", pointer: str | None = None) -> Bad:
    return Bad(data, 400, "malformed_body", pointer, why)


def unsupported(**headers: str | None) -> Bad:
    named = {name.replace("_", "-"): sent for name, sent in headers.items()}
    return Bad(honest, 415, "unsupported_media_type", headers=named)


BODIES = {
    "a number for a text": unfit(value("7")),
    "a fraction for a text": unfit(value("1.5")),
    "a number beyond all bounds": unfit(value("1e999")),
    "true for a text": unfit(value("true")),
    "null for a text": unfit(value("null")),
    "a list for a text": unfit(value('["x"]')),
    "an object for a text": unfit(value('{"$gt": ""}')),
    "a text of 5,000 characters": unfit(value(json.dumps("x" * 5_000))),
    "an unknown member": unfit(and_then(b'"is_admin": true'), "/is_admin"),
    "an unknown member with an empty name": unfit(and_then(b'"": 1'), "/"),
    "an unknown member whose name a pointer escapes": unfit(and_then(b'"a/b~c": 1'), "/a~1b~0c"),
    "an unknown member that JavaScript knows": unfit(and_then(b'"__proto__": {"is_admin": true}'), "/__proto__"),
    "an unknown member that marshmallow knows": unfit(and_then(b'"_schema": 1'), "/_schema"),
    "a member in capitals": unfit(lambda call: call.json(**{call.field.upper(): "x"}), "/{FIELD}"),
    "an empty list": unfit(whole("[]"), ""),
    "a list with the body": unfit(lambda call: b"[" + call.json() + b"]", ""),
    "a text": unfit(whole('"alice@example.com"'), ""),
    "a number": unfit(whole("42"), ""),
    "false": unfit(whole("false"), ""),
    "null": unfit(whole("null"), ""),
    "NUL, escaped": unfit(value(r'"a\u0000b"')),
    "a line break, escaped": unfit(value(r'"a\nb"')),
    "an escape, escaped": unfit(value(r'"a\u001b[2Jb"')),
    "a delete": unfit(value(b'"a\x7fb"')),
    "a control character beyond ASCII": unfit(value('"a\u0085b"')),
    "a line separator": unfit(value('"a\u2028b"')),
    "a lone surrogate, escaped": unfit(value(r'"a\ud800b"')),
    "surrogates the wrong way round, escaped": unfit(value(r'"a\udc00\ud800b"')),
    "a control character deep inside": unfit(and_then(rb'"x": {"y": [0, "\u0000"]}'), "/x/y/1"),
    "a member twice": malformed(
        lambda call: call.json()[:-1] + b', "' + call.field.encode() + b'": "x"}', "repeated_name", "/{field}"
    ),
    "a member twice with the same value": malformed(
        lambda call: call.json()[:-1] + b", " + call.json()[1:], "repeated_name", "/{field}"
    ),
    "a member twice, once escaped": malformed(
        lambda call: call.json()[:-1] + rb', "\u00' + f"{ord(call.field[0]):x}{call.field[1:]}".encode() + b'": "x"}',
        "repeated_name",
        "/{field}",
    ),
    "a member twice deep inside": malformed(and_then(b'"x": [{"y": {"z": 1, "z": 2}}]'), "repeated_name", "/x/0/y/z"),
    "NUL in a name": malformed(and_then(rb'"a\u0000b": 1'), "unreadable_name"),
    "a lone surrogate in a name": malformed(and_then(rb'"a\udfffb": 1'), "unreadable_name"),
    "17 lists within each other, the body being one": malformed(and_then(b'"a": ' + b"[" * 16 + b"]" * 16), "too_deep"),
    "17 lists within each other": malformed(whole("[" * 17 + "]" * 17), "too_deep"),
    "17 objects within each other": malformed(whole('{"a":' * 17 + "1" + "}" * 17), "too_deep"),
    "8,000 lists within each other": malformed(whole("[" * 8_000 + "]" * 8_000), "too_deep"),
    "2,000 objects within each other": malformed(whole('{"a":' * 2_000 + "1" + "}" * 2_000), "too_deep"),
    "100,000 lists that nobody closes": Bad(whole("[" * 100_000), 413, "body_too_long"),
    "10 MB": Bad(value(b'"' + b"x" * 10 * 1024 * 1024 + b'"'), 413, "body_too_long"),
    "one byte too many": Bad(lambda call: call.json() + b" " * (LIMIT + 1 - len(call.json())), 413, "body_too_long"),
    "a byte that is never UTF-8": malformed(value(b'"a\xffb"'), "not_utf8"),
    "a slash in two bytes": malformed(value(b'"a\xc0\xafb"'), "not_utf8"),
    "a surrogate in three bytes": malformed(value(b'"a\xed\xa0\x80b"'), "not_utf8"),
    "half a character": malformed(value(b'"a\xe2\x82"'), "not_utf8"),
    "UTF-16": malformed(lambda call: call.json().decode().encode("utf-16"), "not_utf8"),
    "UTF-16 without a mark": malformed(lambda call: call.json().decode().encode("utf-16-le")),
    "a byte order mark": malformed(lambda call: b"\xef\xbb\xbf" + call.json()),
    "NUL as it is": malformed(value(b'"a\x00b"')),
    "a line break as it is": malformed(value(b'"a\nb"')),
    "NUL after the end": malformed(lambda call: call.json() + b"\x00"),
    "NaN": malformed(value("NaN")),
    "Infinity": malformed(value("Infinity")),
    "minus Infinity": malformed(value("-Infinity")),
    "an integer of 5,000 digits": malformed(value("9" * 5_000)),
    "only spaces": malformed(whole("  \n ")),
    "a body that was cut off": malformed(lambda call: call.json()[:-2]),
    "something after the end": malformed(lambda call: call.json() + b"x"),
    "two bodies": malformed(lambda call: call.json() + b"\n" + call.json()),
    "a comment": malformed(lambda call: b"/* please */" + call.json()),
    "single quotes": malformed(lambda call: call.json().replace(b'"', b"'")),
    "a comma at the end": malformed(lambda call: call.json()[:-1] + b",}"),
    "a call of a function": malformed(lambda call: b"f(" + call.json() + b")"),
    "XML": malformed(whole('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>')),
    "a form": Bad(whole("email=alice%40example.com"), 415, "unsupported_media_type", headers={"Content-Type": FORM}),
    "JSON called a form": unsupported(Content_Type=FORM),
    "JSON called text": unsupported(Content_Type="text/plain"),
    "JSON called a file": unsupported(Content_Type="multipart/form-data; boundary=x"),
    "JSON called a problem": unsupported(Content_Type="application/problem+json"),
    "JSON without a name": unsupported(Content_Type=None),
    "JSON in Latin-1": unsupported(Content_Type="application/json; charset=iso-8859-1"),
    "JSON in UTF-7": unsupported(Content_Type="application/json; charset=utf-7"),
    "JSON that says it is compressed": unsupported(Content_Encoding="gzip"),
    "JSON that is compressed": Bad(
        lambda call: gzip.compress(call.json()), 415, "unsupported_media_type", headers={"Content-Encoding": "gzip"}
    ),
    "a deflated something": unsupported(Content_Encoding="deflate, br"),
}


@pytest.mark.asvs("15.3.3", "15.3.7")
@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_no_call_takes_is_refused_by_every_call(site: Site, name: str) -> None:
    bad, before = BODIES[name], site.stored()
    for call in CALLS:
        answer = site.send(call.method, call.path, bad.data(call), token=not call.is_open, headers=bad.headers)
        document = problem(answer)
        assert (answer.status_code, document["code"]) == (bad.status, bad.code), f"{call.name}: {document}"
        assert document.get("why") == bad.why, call.name
        if bad.pointer is not None:
            pointer = bad.pointer.format(field=call.field, FIELD=call.field.upper())
            assert pointer in [error["pointer"] for error in document["errors"]], f"{call.name}: {document}"
            assert all(error["detail"] for error in document["errors"])
    assert site.stored() == before


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_an_honest_body_would_not_have_been_refused_for_its_shape(site: Site, call: Call) -> None:
    """Without which the table above would prove nothing: the same call, but for its last look at the token."""
    answer = site.send(call.method, call.path, call.json(), headers={"Authorization": "Bearer nonsense"})
    expected = {401, 400, 200, 202, 403} if call.is_open else {401}
    assert answer.status_code in expected
    assert answer.status_code in (200, 202) or problem(answer)["code"] not in ("malformed_body", "validation_failed")


@pytest.mark.parametrize("call", [call for call in CALLS if not call.body_may_be_left_out], ids=lambda call: call.name)
def test_a_body_that_is_needed_and_not_there_is_missed(site: Site, call: Call) -> None:
    before = site.stored()
    for headers in ({}, {"Content-Type": None}):
        answer = site.send(call.method, call.path, token=not call.is_open, headers=headers)
        assert (answer.status_code, problem(answer)["errors"][0]["pointer"]) == (422, "")
    for name in call.body.keys() - call.optional:
        body = json.dumps({other: sent for other, sent in call.body.items() if other != name}).encode()
        errors = problem(site.send(call.method, call.path, body, token=not call.is_open))["errors"]
        assert [error["pointer"] for error in errors] == [f"/{name}"]
    assert site.stored() == before


QUERIES = {
    "the same parameter twice": ("limit=1&limit=2", 400, None),
    "the same parameter twice, once encoded": ("limit=1&%6cimit=1", 400, None),
    "NUL": ("limit=1%00", 400, None),
    "a byte that is never UTF-8": ("limit=%ff", 400, None),
    "less than nothing": ("limit=-1", 422, "limit"),
    "nothing": ("limit=0", 422, "limit"),
    "too many": ("limit=101", 422, "limit"),
    "far too many": ("limit=" + "9" * 5_000, 422, "limit"),
    "no number": ("limit=many", 422, "limit"),
    "half a number": ("limit=1.5", 422, "limit"),
    "a number with a power": ("limit=1e1", 422, "limit"),
    "a number with a sign": ("limit=%2b5", 422, "limit"),
    "a number with spaces": ("limit=%205", 422, "limit"),
    "a number as Python has it": ("limit=1_0", 422, "limit"),
    "a number in hexadecimal": ("limit=0x10", 422, "limit"),
    "a number of another script": ("limit=%d9%a3", 422, "limit"),
    "an empty number": ("limit=", 422, "limit"),
    "a list": ("limit[]=5&before[]=x&before=1", 422, "before"),
    "no id": ("before=1", 422, "before"),
    "an empty id": ("before=", 422, "before"),
    "an id of 8,000 characters": ("before=" + "a" * 8_000, 422, "before"),
    "an id in braces": (f"before=%7b{NOBODY}%7d", 422, "before"),
    "an id without hyphens": (f"before={NOBODY.replace('-', '')}", 422, "before"),
    "an id as a name": (f"before=urn:uuid:{NOBODY}", 422, "before"),
    "half a query of SQL": ("before=' OR 1=1 --", 422, "before"),
}


@pytest.mark.asvs("15.3.7")
@pytest.mark.parametrize("name", QUERIES)
def test_a_query_that_does_not_fit_is_refused_by_name(site: Site, name: str) -> None:
    query, status, parameter = QUERIES[name]
    before = site.stored()
    document = problem(site.send("GET", "/events", query_string=query))
    assert document["status"] == status
    assert document["code"] == ("bad_request" if status == 400 else "validation_failed")
    assert parameter is None or parameter in [error["parameter"] for error in document["errors"]]
    assert site.stored() == before


ASKED = {
    "redirect_uri": REDIRECT_URI,
    "state": "n7Kq2Vx0",
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
}
# What an app may get wrong, and by which parameter it is told.
REQUESTS: dict[str, tuple[dict[str, str | None], str]] = {
    "no address": ({"redirect_uri": None}, "redirect_uri"),
    "an empty address": ({"redirect_uri": ""}, "redirect_uri"),
    "an address of 700 characters": ({"redirect_uri": REDIRECT_URI + "x" * 700}, "redirect_uri"),
    "no state": ({"state": None}, "state"),
    "an empty state": ({"state": ""}, "state"),
    "a state of 600 characters": ({"state": "s" * 600}, "state"),
    "no challenge": ({"code_challenge": None}, "code_challenge"),
    "a challenge that is too short": ({"code_challenge": "x" * 42}, "code_challenge"),
    "a challenge that is too long": ({"code_challenge": "x" * 44}, "code_challenge"),
    "a challenge with padding": ({"code_challenge": "x" * 42 + "="}, "code_challenge"),
    "a challenge in another base64": ({"code_challenge": "x" * 42 + "+"}, "code_challenge"),
    "a challenge in another script": ({"code_challenge": "x" * 42 + "é"}, "code_challenge"),
    "no method": ({"code_challenge_method": None}, "code_challenge_method"),
    "a plain challenge": ({"code_challenge_method": "plain"}, "code_challenge_method"),
    "a method in small letters": ({"code_challenge_method": "s256"}, "code_challenge_method"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_an_authorization_request_that_does_not_fit_is_refused_by_name(site: Site, name: str) -> None:
    changes, parameter = REQUESTS[name]
    query = {key: value for key, value in {**ASKED, **changes}.items() if value is not None}
    before = site.stored()
    answer = site.send("GET", "/auth/google/authorize", query_string=query, token=False)
    assert (answer.status_code, problem(answer)["code"]) == (422, "validation_failed")
    assert [error["parameter"] for error in problem(answer)["errors"]] == [parameter]
    assert "Location" not in answer.headers
    assert site.stored() == before


def test_an_authorization_request_that_fits_would_not_have_been_refused_for_its_shape(site: Site) -> None:
    answer = site.send("GET", "/auth/google/authorize", query_string=ASKED, token=False)
    assert (answer.status_code, problem(answer)["code"]) == (503, "provider_unavailable")


VERIFIERS = {
    "too short": "v" * 42,
    "too long": "v" * 129,
    "a plus": "v" * 42 + "+",
    "a space": "v" * 42 + " ",
    "another script": "v" * 42 + "é",
}


@pytest.mark.parametrize("name", VERIFIERS)
def test_what_is_no_verifier_by_its_looks_is_refused_before_the_code_is_looked_at(site: Site, name: str) -> None:
    before = site.stored()
    (call,) = [call for call in CALLS if call.name == "exchange_code"]
    answer = site.send(call.method, call.path, call.json(code_verifier=VERIFIERS[name]), token=False)
    assert [error["pointer"] for error in problem(answer)["errors"]] == ["/code_verifier"]
    assert site.stored() == before


PATHS = {
    "nothing of ours": ("GET", "/api/v1/nothing", 404),
    "the root": ("GET", "/api/", 404),
    "another version": ("GET", "/api/v2/me", 404),
    "capitals": ("GET", "/api/v1/ME", 404),
    "a slash too many": ("GET", "/api/v1/me/", 404),
    "a way up": ("GET", "/api/v1/../../account", 404),
    "an id that is a number": ("DELETE", "/api/v1/sessions/1", 404),
    "an id without hyphens": ("DELETE", f"/api/v1/sessions/{NOBODY.replace('-', '')}", 404),
    "an id in braces": ("DELETE", f"/api/v1/sessions/%7b{NOBODY}%7d", 404),
    "an id of 8,000 characters": ("DELETE", "/api/v1/sessions/" + "a" * 8_000, 404),
    "an id of nothing": ("DELETE", f"/api/v1/sessions/{NOBODY}", 404),
    "an id with NUL": ("DELETE", f"/api/v1/sessions/{NOBODY}%00", 400),
    "an id that is never UTF-8": ("DELETE", "/api/v1/sessions/\xff", 400),
    "two slashes encoded": ("DELETE", "/api/v1/sessions/..%2f..%2fme", 404),
}


@pytest.mark.parametrize("name", PATHS)
def test_an_address_that_leads_nowhere_says_so_in_the_form_of_the_api(site: Site, name: str) -> None:
    method, path, status = PATHS[name]
    before = site.stored()
    # As servers hand it on: percent-encoded bytes decoded, one character each.
    document = problem(site.send(method, "/api/", environ_overrides={"PATH_INFO": unquote(path, "latin-1")}))
    assert (document["status"], document["code"]) == (status, "not_found" if status == 404 else "bad_request")
    assert site.stored() == before


@pytest.mark.asvs("4.1.4")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"])
def test_a_method_that_an_address_does_not_take_is_refused_with_those_that_it_takes(site: Site, method: str) -> None:
    before = site.stored()
    adapter = site.app.url_map.bind("")
    refused = 0
    for rule in site.app.url_map.iter_rules():
        if not rule.rule.startswith("/api/"):
            continue
        path = rule.rule.replace("<uuid:login_session_id>", NOBODY)
        allowed = set(adapter.allowed_methods(path))
        if method not in allowed:
            refused += 1
            answer = site.send(method, path, b"{}")
            assert (answer.status_code, problem(answer)["code"]) == (405, "method_not_allowed"), path
            assert set(answer.headers["Allow"].split(", ")) == allowed, path
    assert refused > 5
    assert site.stored() == before


@pytest.mark.asvs("4.1.4")
@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method"]
)
def test_a_header_does_not_make_another_method_of_one(site: Site, header: str) -> None:
    before = site.stored()
    assert site.send("GET", "/me", headers={header: "DELETE"}).json["email"] == "alice@example.com"
    answer = site.send("POST", "/me", b"{}", headers={header: "DELETE"}, query_string="_method=DELETE")
    assert (answer.status_code, problem(answer)["code"]) == (405, "method_not_allowed")
    assert site.stored() == before


@pytest.mark.parametrize("path", ["/me", "/sessions", "/events", "/auth/session", "/docs", "/openapi.json", "/nothing"])
def test_head_says_what_get_says_but_for_the_body(site: Site, path: str) -> None:
    answer, get = site.send("HEAD", path), site.send("GET", path)
    assert (answer.status_code, answer.data) == (get.status_code, b"")
    assert answer.headers["Content-Type"] == get.headers["Content-Type"]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_options_does_nothing(site: Site, call: Call) -> None:
    before = site.stored()
    answer = site.send("OPTIONS", call.path, call.json())
    assert (answer.status_code, answer.data) == (200, b"")
    assert call.method in answer.headers["Allow"]
    assert site.stored() == before


def broken_off(site: Site, call: Call) -> TestResponse:
    """A sender that announces more than it sends."""
    announced = {"CONTENT_LENGTH": str(len(call.json()) + 10)}
    return site.send(call.method, call.path, call.json(), environ_overrides=announced)


def chunked(site: Site, call: Call, stream: io.RawIOBase) -> TestResponse:
    """A sender that does not say how much it sends, as gunicorn hands it on."""
    environ: dict[str, Any] = {
        "wsgi.input": io.BufferedReader(stream),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    return site.send(call.method, call.path, headers={"Content-Length": None}, environ_overrides=environ)


class Endless(io.RawIOBase):
    """A body that goes on and on, for 10 MB."""

    def __init__(self) -> None:
        self.left = 10 * 1024 * 1024

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self.left)
        self.left -= size
        buffer[:size] = b"[" * size
        return size


class Breaking(Endless):
    """A body whose chunks are none."""

    def readinto(self, buffer: Any) -> int:
        raise OSError("Invalid chunk size")


STREAMS: dict[str, tuple[Callable[[Site, Call], TestResponse], int, str]] = {
    "a body that breaks off": (broken_off, 400, "bad_request"),
    "chunks without an end": (lambda site, call: chunked(site, call, Endless()), 413, "body_too_long"),
    "chunks that are none": (lambda site, call: chunked(site, call, Breaking()), 400, "bad_request"),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_a_body_that_is_not_sent_whole_is_refused(site: Site, call: Call, name: str) -> None:
    send, status, code = STREAMS[name]
    before = site.stored()
    document = problem(send(site, call))
    assert (document["status"], document["code"]) == (status, code)
    assert site.stored() == before


@pytest.mark.asvs("3.5.2")
@pytest.mark.parametrize("call", [call for call in CALLS if not call.is_open], ids=lambda call: call.name)
def test_a_cookie_of_the_pages_opens_nothing_here(site: Site, call: Call) -> None:
    browser = Browser(site.app)
    browser.sign_in("alice@example.com")
    before = site.stored()
    for content_type in ("application/json", "text/plain", FORM):
        answer = browser.open(call.method, f"/api/v1{call.path}", data=call.json(), content_type=content_type)
        assert answer.status_code in (401, 415), content_type
        assert problem(answer)["code"] in ("token_missing", "token_invalid", "unsupported_media_type")
    assert site.stored() == before


@pytest.mark.asvs("3.5.6")
@pytest.mark.parametrize("parameter", ["callback", "jsonp", "cb", "format"])
def test_no_answer_becomes_a_script(site: Site, parameter: str) -> None:
    for path in ("/me", "/sessions", "/events", "/auth/session", "/openapi.json"):
        answer = site.send("GET", path, query_string={parameter: "steal"})
        assert (answer.status_code, answer.mimetype) == (200, "application/json")
        assert answer.json
        assert b"steal" not in answer.data


def refused_in(site: Site, language: str) -> Iterator[str]:
    """What people are told of some refusals."""
    headers = {"Accept-Language": language}
    login = next(call for call in CALLS if call.name == "login")
    for body in (
        b"{",
        b"[]",
        login.raw(b"7"),
        login.json(x=1),
        login.json(password="wrong " + PASSWORD),
        b"[" * 20_000,
    ):
        document = problem(site.send(login.method, login.path, body, token=False, headers=headers))
        yield document["detail"]
        yield from (error["detail"] for error in document.get("errors", ()))
    for path in ("/nothing", "/events?limit=0"):
        yield problem(site.send("GET", path, headers=headers))["detail"]
    yield problem(site.send("GET", "/me", token=False, headers=headers))["detail"]


def test_people_read_why_in_their_language(site: Site) -> None:
    korean = translations.read("ko")
    english = list(refused_in(site, "en"))
    expected = [found.string if (found := korean.get(text)) and found.string else text for text in english]
    assert list(refused_in(site, "ko")) == expected
    assert "이메일 주소나 비밀번호가 맞지 않습니다." in expected or expected != english
