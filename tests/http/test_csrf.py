"""Requests that somebody else sends in our visitor's name."""

import re
from datetime import timedelta

import pytest
import time_machine
from flask import session
from flask_wtf.csrf import generate_csrf

from tests.http.small_app import HTTPS, PUBLIC, small_app
from webapp import clock
from webapp.http import csrf
from webapp.http.csrf import rotate_csrf


def token_of(client, **options):
    return re.search(r"<form>(.*)</form>", client.get("/form", **options).text)[1]


@pytest.fixture
def app():
    return small_app()


@pytest.fixture
def client(app):
    return app.test_client()


def test_a_form_with_its_token_is_taken(client):
    assert client.post("/form", data={"csrf_token": token_of(client), "name": "a"}).json["name"] == "a"


@pytest.mark.asvs("3.5.1")
@pytest.mark.parametrize("token", ["", "forged", "ImFiYyI.aaaa.bbbb"])
def test_a_form_without_its_token_is_refused(client, token):
    token_of(client)
    assert client.post("/form", data={"csrf_token": token}).status_code == 400


@pytest.mark.asvs("3.5.1")
def test_the_token_of_another_browser_is_refused(app, client):
    token_of(client)
    assert client.post("/form", data={"csrf_token": token_of(app.test_client())}).status_code == 400


@pytest.mark.asvs("3.5.1")
def test_a_token_signed_with_the_site_key_itself_is_refused(app, client):
    token_of(client)
    with client.session_transaction() as stored, app.test_request_context():
        session.update(stored)
        forged = generate_csrf(secret_key=app.secret_key)
    assert client.post("/form", data={"csrf_token": forged}).status_code == 400


def test_a_form_left_open_over_the_night_still_works(client):
    token = token_of(client)
    with time_machine.travel(clock.now() + timedelta(hours=20), tick=False):
        assert client.post("/form", data={"csrf_token": token}).status_code == 200


def test_a_refused_form_can_be_sent_again_with_what_may_be_kept(client):
    typed = {
        "email": "alice@example.com",
        "name": "<b>Alice</b>",
        "password": "correct horse battery staple",
        "new_password": "another long password here",
        "code": "123456",
        "token": "abcdefgh12345678",
        "next": "/account/sessions",
        "csrf_token": "stale",
    }
    answer = client.post("/reset/s3cret?x=1", data=typed)
    assert answer.status_code == 400
    assert 'action="/reset/s3cret?x=1"' in answer.text
    assert 'value="alice@example.com"' in answer.text
    assert "&lt;b&gt;Alice" in answer.text
    assert 'value="/account/sessions"' in answer.text
    for secret in ("correct horse", "another long", "123456", "abcdefgh12345678", "stale"):
        assert secret not in answer.text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer.text)[1]
    assert client.post("/form", data={"csrf_token": token, "name": "a"}).status_code == 200


def test_a_next_to_elsewhere_is_not_kept(client):
    assert "evil" not in client.post("/form", data={"next": "//evil.example"}).text


@pytest.mark.parametrize("query", ["_external=1&_scheme=javascript", "_anchor=x&_method=GET", "_scheme=http"])
def test_the_address_of_the_form_is_not_bent_by_its_query(client, query):
    action = re.search(r'action="([^"]*)"', client.post(f"/form?{query}", data={"a": "b"}).text)[1]
    assert action == "/form?" + query.replace("&", "&amp;")


def test_rotation_makes_the_old_token_worthless(app, client):
    @app.get("/rotate")
    def rotate():
        rotate_csrf(session)
        return "done"

    old = token_of(client)
    client.get("/rotate")
    assert client.post("/form", data={"csrf_token": old}).status_code == 400
    assert client.post("/form", data={"csrf_token": token_of(client)}).status_code == 200


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "https://login.example.com.evil.example"},
    {"Origin": "https://login.example.com:444"},
    {"Origin": "https://[broken"},
]


@pytest.mark.asvs("3.5.1", "3.5.8")
@pytest.mark.parametrize("headers", FOREIGN)
def test_a_post_that_another_site_started_is_refused_even_with_its_token(headers):
    client = small_app(**HTTPS).test_client()
    token = token_of(client, base_url=PUBLIC)
    referer = {"Referer": f"{PUBLIC}/form"}
    answer = client.post("/form", data={"csrf_token": token}, base_url=PUBLIC, headers={**referer, **headers})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": PUBLIC}, {"Origin": "null"}],
)
def test_a_post_of_our_own_page_is_taken(headers):
    client = small_app(**HTTPS).test_client()
    token = token_of(client, base_url=PUBLIC)
    referer = {"Referer": f"{PUBLIC}/form"}
    answer = client.post("/form", data={"csrf_token": token}, base_url=PUBLIC, headers={**referer, **headers})
    assert answer.status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Referer": f"{PUBLIC}/"}, {"Referer": f"{PUBLIC}/reset/x"}])
def test_over_https_a_withheld_referer_keeps_nobody_out(headers):
    client = small_app(**HTTPS).test_client()
    token = token_of(client, base_url=PUBLIC)
    assert client.post("/form", data={"csrf_token": token}, base_url=PUBLIC, headers=headers).status_code == 200


@pytest.mark.asvs("3.5.8")
@pytest.mark.parametrize("dest", ["image", "script", "style", "iframe", "object", "embed", "empty"])
def test_another_site_can_embed_nothing_of_ours(client, dest):
    mode = "navigate" if dest in ("iframe", "object", "embed") else "no-cors"
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    assert client.get("/form", headers=headers).status_code == 403


def test_a_link_from_another_site_leads_here(client):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/form", headers=headers).status_code == 200


def test_the_page_for_a_stale_form_is_not_shown_for_a_store_that_is_away(app, monkeypatch):
    class Away(dict):
        unavailable = True

    monkeypatch.setattr(csrf, "session", Away())
    assert app.test_client().post("/form", data={"a": "b"}).status_code == 503
