"""Tokens where they come in: whatever is shown, an answer that says nothing; and what an honest one gives away."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.apps import PREFIX, App, problem, refusal
from tests.conftest import NewApp, NewUser
from tests.people import PASSWORD, runtime_of
from tests.rows import Rows, on_sqlite, statements
from tests.services.forged_tokens import Workshop, a_subject, parts
from tests.services.forgeries_access import ACCESS
from tests.services.forgeries_refresh import REFRESH
from webapp.models import LoginSession, SigningKey
from webapp.policy.login_sessions import EndReason
from webapp.services.strict_jwt import LONGEST

# Spaces around a value belong to no header, and quotes around it to no cookie: what is read is the good token.
GOOD_IN_A_HEADER = {"space before", "space after"}
GOOD_IN_A_COOKIE = {*GOOD_IN_A_HEADER, "in quotes"}
# What no header and no JSON should hold is refused before anybody looks for a token in it.
UNTYPEABLE = re.compile(r"[\x00-\x1f\ud800-\udfff]")
LONGEST_HEADER = 8190  # gunicorn refuses longer ones before there is a request
PLAIN_PROBLEM = {"type", "title", "status", "detail", "code", "request_id"}
CHALLENGE = 'Bearer realm="api", error="invalid_token"'


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    """Without limits: hundreds of tokens come from one address here."""
    return new_app(RATELIMIT_ENABLED=False)


def as_header(raw: str) -> str:
    """As the server hands on a header: its octets, each as one letter, and no more of them than it takes."""
    return raw[:LONGEST_HEADER].encode("utf-8", "surrogatepass").decode("latin-1")


@dataclass
class Door:
    """A site with a workshop behind it, and one live login session that every forged token is about."""

    app: Flask
    shop: Workshop
    rows: Rows
    phone: App

    def show_access(self, path: str, raw: str) -> TestResponse:
        sent = as_header(raw)
        return self.phone.get(path, token="", environ_overrides={"HTTP_AUTHORIZATION": f"Bearer {sent}"})

    def show_refresh(self, raw: str) -> TestResponse:
        return self.phone.post("/auth/refresh", {"refresh_token": raw}, token="")

    def show_refresh_cookie(self, raw: str) -> TestResponse:
        sent = as_header(raw)
        return self.phone.post("/auth/refresh", token="", environ_overrides={"HTTP_COOKIE": f"refresh={sent}"})

    @property
    def line(self) -> LoginSession:
        (row,) = self.rows.all(LoginSession, id=self.shop.subject.login_session_id)
        return row


@pytest.fixture
def door(app: Flask, alice: str, rows: Rows) -> Door:
    row = rows.api_session(alice, generation=1)
    runtime = runtime_of(app)
    rows.delete(SigningKey)
    shop = Workshop(runtime.engine, runtime.sealer, runtime.key_ring, a_subject(row.user_id, row.id))
    return Door(app, shop, rows, App(app))


@pytest.mark.asvs("9.1.1", "9.1.2", "9.1.3", "10.3.1")
def test_no_forged_access_token_opens_anything(door: Door) -> None:
    for path in ("/auth/session", "/me"):
        assert door.show_access(path, door.shop.access.good).status_code == 200
        for label in ACCESS.keys() - GOOD_IN_A_HEADER:
            raw = ACCESS[label](door.shop)
            answer = door.show_access(path, raw)
            assert problem(answer).keys() == PLAIN_PROBLEM, label
            if UNTYPEABLE.search(raw):
                assert refusal(answer) == (400, "bad_request"), label
            else:
                assert refusal(answer) == (401, "token_invalid"), label
                assert answer.headers["WWW-Authenticate"] == CHALLENGE, label
    assert door.line.ended_at is None


@pytest.mark.asvs("9.1.1", "9.2.4")
def test_no_forged_refresh_token_gives_anything(door: Door) -> None:
    for label, forge in REFRESH.items():
        raw = forge(door.shop)
        answer = door.show_refresh(raw)
        # The rules for bodies come first: what no JSON should hold, and what is longer than any token.
        if len(raw) > LONGEST or not raw or UNTYPEABLE.search(raw):
            assert refusal(answer) in {(413, "body_too_long"), (422, "validation_failed")}, label
        else:
            assert refusal(answer) == (401, "token_invalid"), label
            assert answer.headers["WWW-Authenticate"] == CHALLENGE, label
    assert (door.line.generation, door.line.ended_at) == (1, None)
    assert door.show_refresh(door.shop.refresh.good).status_code == 200


@on_sqlite
def test_no_forged_refresh_cookie_gives_anything(door: Door) -> None:
    for label in REFRESH.keys() - GOOD_IN_A_COOKIE:
        raw = REFRESH[label](door.shop)
        answer = door.show_refresh_cookie(raw)
        expected = (400, "bad_request") if UNTYPEABLE.search(raw) else (401, "token_invalid")
        assert refusal(answer) == expected, label
    assert (door.line.generation, door.line.ended_at) == (1, None)
    assert door.show_refresh_cookie(door.shop.refresh.good).status_code == 200


@on_sqlite
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_every_call_that_needs_a_token_refuses_alike(door: Door, method: str) -> None:
    forged = ACCESS["signature's last octet flipped"](door.shop)
    assert refusal(door.phone.call(method, "/me", token=forged)) == (401, "token_invalid")


@on_sqlite
def test_of_several_credentials_none_is_chosen(door: Door) -> None:
    """What stands between us and the caller may have looked at another of them (RFC 9110, section 11.6.2)."""
    good, other = door.shop.access.good, door.shop.access.with_claims(jti=str(uuid.uuid4()))
    for sent in (f"Bearer {good}, Bearer {other}", f"Bearer {good}, Basic YTpi", f"Basic YTpi, Bearer {good}"):
        answer = door.phone.get("/me", token="", headers={"Authorization": sent})
        assert refusal(answer) == (401, "token_invalid")
    for sent in (f"bearer {good}", f"BEARER  {good}"):
        assert door.phone.get("/me", token="", headers={"Authorization": sent}).status_code == 200


@pytest.mark.asvs("9.2.2")
def test_no_token_passes_at_the_other_kinds_door(door: Door) -> None:
    assert refusal(door.show_access("/me", door.shop.refresh.good)) == (401, "token_invalid")
    assert refusal(door.show_refresh(door.shop.access.good)) == (401, "token_invalid")


def test_what_is_remembered_of_a_token_does_not_outlive_its_login_session(door: Door) -> None:
    good = door.shop.access.good
    assert door.show_access("/auth/session", good).status_code == 200
    with door.app.app_context():
        with statements(runtime_of(door.app).engine) as sent:
            assert door.show_access("/auth/session", good).status_code == 200
        assert sent == []
    signed_out = door.phone.post("/auth/logout", token=good)
    assert signed_out.status_code == 204
    for path in ("/auth/session", "/me"):
        assert refusal(door.show_access(path, good)) == (401, "session_revoked")


@pytest.mark.asvs("10.3.3")
def test_the_token_of_one_whose_row_is_gone_opens_no_account(door: Door) -> None:
    """The account was deleted within the life of the token: what reads the row finds nothing."""
    door.rows.delete(LoginSession, id=door.line.id)
    assert refusal(door.show_access("/me", door.shop.access.good)) == (401, "session_revoked")


def test_why_a_login_session_ended_is_told_where_its_row_is_read(door: Door) -> None:
    now = door.line.created_at
    door.rows.set(LoginSession, {"id": door.line.id}, ended_at=now, end_reason=EndReason.ENDED_BY_USER)
    answer = door.show_access("/me", door.shop.access.good)
    assert refusal(answer) == (401, "session_revoked")


# What they give away

LONGEST_EMAIL = f"{'a' * 64}@{'.'.join(['b' * 60, 'c' * 60, 'd' * 60])}.{'e' * 3}.kr"


@on_sqlite
def test_tokens_do_not_grow_with_what_is_known_of_somebody(app: Flask, new_user: NewUser) -> None:
    assert len(LONGEST_EMAIL) == 254
    short, long = "a@b.kr", LONGEST_EMAIL
    new_user(short, name="")
    new_user(long, name="가나다라마바사아자차" * 10, password="긴 암호 문장 하나 " * 10)
    plain, rich = App(app), App(app, user_agent="Mozilla/5.0 " + "x" * 500)
    assert plain.sign_in(short).status_code == 200
    assert rich.sign_in(long, "긴 암호 문장 하나 " * 10, device_name="휴대전화" * 25).status_code == 200
    assert len(plain.access_token) == len(rich.access_token)
    assert len(plain.refresh_token) == len(rich.refresh_token)
    assert len(rich.access_token) < LONGEST / 2


@pytest.mark.asvs("10.4.11")
def test_tokens_hold_nothing_personal(app: Flask, alice: str, rows: Rows) -> None:
    phone = App(app, ip="203.0.113.77")
    phone.sign_in(alice, device_name="Alice's phone")
    user, line = rows.user(alice), rows.live(alice)[-1]
    for raw in (phone.access_token, phone.refresh_token):
        told = json.dumps(parts(raw))
        for private in (alice, "alice", "example.com", PASSWORD, "phone", "203.0.113", "Doorway", "iPhone", user.name):
            assert private.lower() not in told.lower()
    _, claims = parts(phone.access_token)
    assert (claims["sub"], claims["sid"], claims["amr"]) == (str(user.id), str(line.id), ["pwd"])
    assert uuid.UUID(claims["jti"]) not in (user.id, line.id)


@on_sqlite
def test_the_claims_are_what_the_call_tells(app: Flask, alice: str) -> None:
    phone = App(app)
    phone.sign_in(alice)
    assert phone.get("/auth/session").json == parts(phone.access_token)[1]
    assert phone.client.get(f"{PREFIX}/auth/session?access_token={phone.access_token}").status_code == 401
    life = runtime_of(app).settings.JWT_ACCESS
    assert timedelta(0) < life <= timedelta(minutes=15)
