"""What somebody gains who copied a token, planted a cookie or guesses through an open session: as little as can be."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from werkzeug.http import dump_cookie

from tests.apps import App, problem, refusal
from tests.conftest import NewApp, NewUser
from tests.people import NEW_PASSWORD, PASSWORD, runtime_of
from tests.rows import Rows, breaking, on_sqlite
from webapp.models import LoginSession

OWN = "https://login.example.com"
WRONG = "not what was chosen here"


@pytest.mark.asvs("7.5.1")
def test_a_copied_token_is_not_made_fresh_by_the_password_that_its_owner_gives(
    app: Flask, alice: str, at: time_machine.Traveller
) -> None:
    phone, tablet, thief = App(app), App(app), App(app)
    phone.sign_in(alice)
    at.shift(timedelta(hours=1))
    phone.refresh()
    thief.access_token = phone.access_token
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert phone.post("/me/password", body).status_code == 204
    tablet.sign_in(alice, NEW_PASSWORD)
    stale = (401, "reauthentication_required")
    assert refusal(thief.call("DELETE", f"/sessions/{tablet.session_id}")) == stale
    assert refusal(thief.call("DELETE", "/me")) == stale
    phone.refresh()  # the owner's app gets a token that knows of the new proof
    assert phone.call("DELETE", f"/sessions/{tablet.session_id}").status_code == 204


@on_sqlite
@pytest.mark.asvs("3.3.1")
def test_a_cookie_that_a_sibling_host_planted_never_comes_to_stand_alone(new_app: NewApp, new_user: NewUser) -> None:
    """Who may write cookies for the whole domain can make the browser show two. Neither is used, and the answer does
    not take the real one away: then the next refresh would sign Alice's app in as Mallory.
    """
    app, alice, mallory = new_app(PUBLIC_URL=OWN), new_user(), new_user("mallory@example.com")
    page, hers = App(app, cookies=True, origin=OWN), App(app, cookies=True, origin=OWN)
    page.sign_in(alice, refresh_transport="cookie")
    hers.sign_in(mallory, refresh_transport="cookie")
    name = "__Secure-refresh"
    both = "; ".join(dump_cookie(name, str(owner.cookie(name))).partition(";")[0] for owner in (page, hers))
    for origin in (OWN, "https://evil.example"):
        answer = App(app, origin=origin).refresh(token="", headers={"Cookie": both})
        assert answer.status_code in (401, 403)
        assert "Set-Cookie" not in answer.headers
    assert page.refresh(token="").status_code == 200


def test_what_cannot_be_signed_is_not_begun(app: Flask, alice: str, rows: Rows) -> None:
    """Otherwise an outage would spend the refresh token, and the retry would look like a theft."""
    phone, tablet = App(app), App(app)
    phone.sign_in(alice)
    ring = runtime_of(app).key_ring
    ring._keys, ring._read_at = {}, float("-inf")
    with breaking(rows.engine, lambda statement: "signing_keys" in statement):
        assert phone.refresh().status_code >= 500
        assert tablet.sign_in(alice).status_code >= 500
    (row,) = rows.all(LoginSession, kind="api")
    assert (row.generation, row.rotated_at) == (1, None)
    assert phone.refresh().status_code == 200


def test_an_access_token_ends_with_its_session_at_the_latest(
    app: Flask, alice: str, at: time_machine.Traveller
) -> None:
    phone = App(app)
    phone.sign_in(alice)
    at.shift(runtime_of(app).settings.JWT_REFRESH - timedelta(seconds=90))
    answer = phone.refresh()
    assert 30 <= answer.json["expires_in"] <= 90
    assert phone.get("/auth/session").status_code == 200
    at.shift(timedelta(seconds=91))
    assert refusal(phone.get("/auth/session")) == (401, "token_expired")


@on_sqlite
def test_a_body_of_a_thousand_mistakes_gets_a_short_answer(app: Flask) -> None:
    answer = App(app).post("/auth/refresh", {f"f{number}": 0 for number in range(1000)})
    assert len(problem(answer)["errors"]) == 20


@on_sqlite
@pytest.mark.asvs("6.3.1")
def test_guessing_through_a_copied_token_ends_for_the_day_and_its_owner_reads_of_it(
    app: Flask, alice: str, rows: Rows, at: time_machine.Traveller
) -> None:
    thief, guess = App(app), {"current_password": WRONG, "new_password": NEW_PASSWORD}
    thief.sign_in(alice)
    for _ in range(3):
        for _ in range(10):
            assert refusal(thief.post("/me/password", guess)) == (403, "invalid_credentials")
        assert refusal(thief.post("/me/password", guess)) == (429, "too_many_attempts")
        at.shift(timedelta(minutes=15, seconds=1))
        thief.refresh()
    assert refusal(thief.post("/me/password", guess)) == (429, "too_many_attempts")
    assert rows.events().count("guessing_slowed") == 1


@pytest.mark.asvs("7.4.1")
def test_an_app_signs_out_with_its_refresh_token_whatever_access_token_it_sends_along(
    app: Flask, alice: str, rows: Rows
) -> None:
    phone = App(app)
    phone.sign_in(alice)
    assert (
        phone.post("/auth/logout", {"refresh_token": phone.refresh_token}, token="long.since.over").status_code == 204
    )
    assert rows.live() == []
