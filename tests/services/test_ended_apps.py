"""Ended sessions of apps go when nobody needs to hear of them any more; and devices that nobody knows are not kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.conftest import NewApp
from tests.people import runtime_of
from tests.rows import Rows, on_sqlite
from tests.services.app_lines import Line
from webapp import clock
from webapp.errors import SessionRevoked
from webapp.models import KnownDevice, LoginSession
from webapp.policy.login_sessions import EndReason
from webapp.policy.signing_keys import CLOCK_SKEW
from webapp.services import housekeeping, known_devices
from webapp.services.revocation import RevokedSessions
from webapp.services.transaction import transaction

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
LIFE = timedelta(minutes=10)
SOON = {EndReason.SIGNED_OUT, EndReason.REPLACED}  # by the app itself, which asks no more
STORED = set(EndReason) - {EndReason.IDLE, EndReason.EXPIRED}


@pytest.fixture
def at() -> Iterator[time_machine.Traveller]:
    """The clock, which stands until it is moved."""
    with time_machine.travel(clock.now().replace(microsecond=0), tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def somebody(alice: str) -> str:
    return alice


def purge(app: Flask, slices: int = 20) -> int:
    with app.app_context():
        return housekeeping.purge(slices=slices)["ended_apps"]


def ended(rows: Rows, reason: EndReason, **values: object) -> LoginSession:
    return rows.api_session(**{"generation": 1, "ended_at": clock.now(), "end_reason": reason, **values})


@pytest.mark.asvs("14.2.7")
def test_an_ended_app_is_kept_as_long_as_it_may_ask_why(app: Flask, rows: Rows, at: time_machine.Traveller) -> None:
    for reason in STORED:
        ended(rows, reason)
    at.shift(LIFE + DAY)
    assert purge(app) == 0
    at.shift(SECOND)
    assert purge(app) == len(SOON)
    left = rows.all(LoginSession, kind="api")
    assert {row.end_reason for row in left} == STORED - SOON
    at.shift(6 * DAY - SECOND)
    assert purge(app) == 0
    at.shift(SECOND)
    assert purge(app) == len(left)
    assert rows.count(LoginSession, kind="api") == 0


def test_an_app_that_was_signed_out_hears_why_for_a_week(app: Flask, rows: Rows, at: time_machine.Traveller) -> None:
    line = Line(app, rows)
    rows.set(LoginSession, {"id": line.row.id}, ended_at=clock.now(), end_reason=EndReason.DISABLED)
    at.shift(7 * DAY)
    purge(app)
    with pytest.raises(SessionRevoked) as told:
        line.refresh(1)
    assert told.value.details == {"reason": "disabled"}
    at.shift(LIFE + SECOND)
    purge(app)
    with pytest.raises(SessionRevoked) as told:
        line.refresh(1)
    assert told.value.details == {}


@pytest.mark.parametrize("life", [LIFE, DAY])
def test_no_row_goes_before_the_news_of_its_end_has_gone_round(
    new_app: NewApp, rows: Rows, at: time_machine.Traveller, life: timedelta
) -> None:
    """A worker that starts now has to find it, as long as an access token of it may be good."""
    app = new_app(JWT_ACCESS_SECONDS=life)
    row = ended(rows, EndReason.SIGNED_OUT, expires_at=clock.now() + 60 * DAY)
    at.shift(life + CLOCK_SKEW)
    purge(app)
    assert RevokedSessions(runtime_of(app).engine, token_life=life).includes(str(row.id))


@on_sqlite
def test_live_apps_and_ended_browsers_stay(app: Flask, rows: Rows, at: time_machine.Traveller) -> None:
    """A browser shows its old cookie for as long as it keeps it, and is to be told why it is not signed in."""
    live = rows.api_session(generation=1)
    web = ended(rows, EndReason.SIGNED_OUT, kind="web", generation=None)
    at.shift(29 * DAY)
    assert purge(app) == 0
    assert rows.count(LoginSession, id=live.id) == rows.count(LoginSession, id=web.id) == 1
    at.shift(3 * DAY + SECOND)
    purge(app)
    assert rows.count(LoginSession, id=live.id) == rows.count(LoginSession, id=web.id) == 0


@on_sqlite
def test_ended_apps_go_in_slices(
    app: Flask, rows: Rows, at: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "SLICE", 10)
    rows.api_sessions(35, generation=1, ended_at=clock.now(), end_reason=EndReason.TOO_MANY)
    live = rows.api_session(generation=1)
    at.shift(8 * DAY)
    assert purge(app, slices=2) == 20
    assert purge(app) == 15
    assert [row.id for row in rows.all(LoginSession, kind="api")] == [live.id]


# Known devices


def sign_in_from(app: Flask, rows: Rows, device: str | None) -> tuple[str, bool]:
    user_id = rows.user().id
    with app.app_context(), transaction() as tx:
        return known_devices.remember_device(tx, user_id, device)


def test_an_app_that_keeps_no_cookie_does_not_fill_the_table(
    app: Flask, rows: Rows, at: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a new device each time; the ones unseen for longest give way, and who comes back stays."""
    monkeypatch.setattr(known_devices, "MOST_A_USER", 5)
    rows.delete(KnownDevice)
    laptop, _ = sign_in_from(app, rows, None)
    made = []
    for _ in range(12):
        at.shift(SECOND)
        made.append(sign_in_from(app, rows, None)[0])
        assert sign_in_from(app, rows, laptop) == (laptop, False)
        assert rows.count(KnownDevice) <= 5
    with app.app_context(), transaction() as tx:
        known = [known_devices.is_known_device(tx, rows.user().id, device) for device in made]
    assert known == [False] * 8 + [True] * 4


def test_room_is_made_among_ones_own_devices_only(
    app: Flask, rows: Rows, new_user: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_devices, "MOST_A_USER", 2)
    rows.delete(KnownDevice)
    bob = new_user("bob@example.com")  # type: ignore[operator]
    with app.app_context(), transaction() as tx:
        bobs, _ = known_devices.remember_device(tx, rows.user(bob).id, None)
    for _ in range(5):
        sign_in_from(app, rows, None)
    with app.app_context(), transaction() as tx:
        assert known_devices.is_known_device(tx, rows.user(bob).id, bobs)
    assert rows.count(KnownDevice, user_id=rows.user().id) == 2
