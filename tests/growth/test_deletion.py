"""Deleting an account holds no lock for long, however much happened to it."""

from datetime import timedelta

from flask import Flask

from tests.rows import Rows
from webapp import clock
from webapp.ids import new_id
from webapp.models import LoginSession, SecurityEvent, User
from webapp.policy.security_events import EventKind
from webapp.services.account_deletion import delete_due_accounts

LIMIT = 5


def add_events(rows: Rows, amount: int) -> None:
    user_id = rows.user().id
    for _ in range(amount):
        rows.add(
            SecurityEvent(
                id=new_id(), user_id=user_id, kind=EventKind.SIGNED_IN, at=clock.now(), ip="::1", user_agent=""
            )
        )


def test_what_an_account_has_very_many_of_goes_in_slices_before_it(app: Flask, alice: str, rows: Rows) -> None:
    rows.api_sessions(7)
    add_events(rows, 120)
    rows.set(User, {}, deletion_due_at=clock.now() - timedelta(seconds=1))
    with app.app_context():
        assert delete_due_accounts(LIMIT) == 0, "twenty slices of five are not enough"
        assert 0 < rows.count(SecurityEvent) < 120
        assert rows.user().email == alice
        assert delete_due_accounts(LIMIT) == 1
    assert [rows.count(model) for model in (User, LoginSession, SecurityEvent)] == [0, 0, 0]


def test_what_belongs_to_others_stays(app: Flask, alice: str, rows: Rows) -> None:
    add_events(rows, 3)
    rows.api_session()
    with app.app_context():
        assert delete_due_accounts(LIMIT) == 0
    assert rows.count(LoginSession) >= 1
    assert rows.count(SecurityEvent) >= 3
