"""Where every way in ends: the same refusals and the same steps, whatever was proven and whatever is started."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from flask import Flask

from tests.journeys.crowds import CROWD, all_at_once
from tests.people import runtime_of
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.errors import (
    AccountDisabled,
    EmailUnverified,
    InvalidCredentials,
    PasswordBlocked,
    SignInStepExpired,
)
from webapp.models import LoginSession, SignInInProgress, User
from webapp.policy.login_sessions import MOST_A_USER
from webapp.policy.sign_in import Step
from webapp.services import sign_in, sign_in_steps
from webapp.services.client import Client
from webapp.services.sign_in import MAILED_LINK, PASSWORD, Pending, Proof, Started

CLIENT = Client(ip="192.0.2.1", user_agent="", device_name="Alice's phone")


@pytest.fixture(autouse=True)
def in_the_app(app: Flask, alice: str) -> Iterator[None]:
    with app.app_context():
        yield


def proof_of(rows: Rows, *methods: str) -> Proof:
    user = rows.user()
    return Proof(user.id, methods, clock.now(), password_changed_at=user.password_changed_at)


@on_sqlite
@pytest.mark.asvs("6.3.4", "8.3.2")
@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        ({"disabled_at": clock.now()}, AccountDisabled),
        ({"email_verified_at": None}, EmailUnverified),
        ({"password_blocked_at": clock.now()}, PasswordBlocked),
    ],
)
def test_who_must_not_come_in_comes_in_by_no_door(rows: Rows, state: dict[str, Any], refusal: type[Exception]) -> None:
    rows.set(User, {"email": "alice@example.com"}, **state)
    methods = [PASSWORD] if refusal is PasswordBlocked else [PASSWORD, MAILED_LINK]
    for method, kind in product(methods, ("web", "api")):
        with pytest.raises(refusal):
            sign_in.start_sign_in(proof_of(rows, method), CLIENT, kind=kind)
    assert rows.live() == []


@on_sqlite
def test_a_proof_about_nobody_is_worth_nothing() -> None:
    with pytest.raises(InvalidCredentials):
        sign_in.start_sign_in(Proof(uuid.uuid4(), (PASSWORD,), clock.now()), CLIENT, kind="web")


@on_sqlite
@pytest.mark.asvs("7.2.2")
def test_each_sign_in_is_a_row_of_its_own_that_says_how_and_from_where(app: Flask, rows: Rows) -> None:
    ids = set()
    for kind in ("web", "api"):
        started = sign_in.start_sign_in(proof_of(rows, PASSWORD), CLIENT, kind=kind)
        assert isinstance(started, Started)
        ids.add(started.login_session_id)
    first, second = rows.live()
    assert {first.id, second.id} == ids
    assert {first.kind, second.kind} == {"web", "api"}
    assert (first.methods, first.ip, first.device_name) == ("pwd", "192.0.2.1", "Alice's phone")
    assert first.expires_at - first.created_at == runtime_of(app).settings.SESSION_ABSOLUTE


def wait_to_keep(rows: Rows) -> str:
    rows.set(User, {"email": "alice@example.com"}, deletion_due_at=clock.now() + timedelta(days=3))
    pending = sign_in.start_sign_in(proof_of(rows, PASSWORD), CLIENT, kind="web", persistent=True)
    assert isinstance(pending, Pending)
    assert pending.step is Step.KEEP_ACCOUNT
    return pending.handle


@on_sqlite
def test_a_step_is_kept_as_a_hash_carries_no_rights_and_remembers_what_was_wanted(rows: Rows) -> None:
    handle = wait_to_keep(rows)
    assert handle not in {value for _, value in rows.texts()}
    assert rows.live() == []
    started = sign_in_steps.keep_account(handle, CLIENT)
    assert started.persistent
    assert rows.user().deletion_due_at is None
    assert rows.count(SignInInProgress) == 0
    with pytest.raises(SignInStepExpired):
        sign_in_steps.keep_account(handle, CLIENT)


@on_sqlite
def test_a_handle_that_nobody_was_given_resumes_nothing(rows: Rows) -> None:
    wait_to_keep(rows)
    for handle in (None, "", "never given out"):
        assert sign_in_steps.find_step(handle) is None
        with pytest.raises(SignInStepExpired):
            sign_in_steps.keep_account(handle, CLIENT)


@pytest.mark.asvs("15.4.2")
def test_a_step_is_taken_once_however_many_try(app: Flask, rows: Rows) -> None:
    handle = wait_to_keep(rows)

    def take() -> str:
        with app.app_context():
            try:
                sign_in_steps.keep_account(handle, CLIENT)
            except SignInStepExpired:
                return "expired"
            return "kept"

    assert sorted(all_at_once([take] * 8)) == ["expired"] * 7 + ["kept"]
    assert len(rows.live()) == 1


@pytest.mark.asvs("15.4.2", "7.1.2")
def test_many_sign_ins_at_once_never_leave_more_than_the_limit(app: Flask, rows: Rows) -> None:
    rows.api_sessions(MOST_A_USER)

    def begin() -> bool:
        with app.app_context():
            return isinstance(sign_in.start_sign_in(proof_of(rows, PASSWORD), CLIENT, kind="api"), Started)

    assert all(all_at_once([begin] * CROWD))
    assert len(rows.live()) == MOST_A_USER
    assert rows.count(LoginSession, end_reason="too_many") == CROWD
