"""Proving a password: hashes that keep up with their cost, and no proof that outlives the password."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask

from tests.conftest import NewApp, NewBrowser
from tests.people import NEW_PASSWORD, PASSWORD, Browser, runtime_of
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.errors import InvalidCredentials, NotSignedIn, PasswordBlocked
from webapp.models import LoginSession, User
from webapp.policy.login_sessions import EndReason
from webapp.services import email_change, passwords, reauthentication, sign_in
from webapp.services.client import Client
from webapp.services.hashing import PasswordHashing
from webapp.services.login_sessions import SignedIn, end_login_sessions, lock_live, resume_login_session
from webapp.services.transaction import transaction

CLIENT = Client(ip="192.0.2.1", user_agent="")


@pytest.fixture
def in_the_app(app: Flask, alice: str) -> Iterator[None]:
    with app.app_context():
        yield


def prove(password: str = PASSWORD) -> sign_in.Proof:
    return passwords.verify_password("alice@example.com", password, CLIENT)


def start(proof: sign_in.Proof) -> SignedIn:
    started = sign_in.start_sign_in(proof, CLIENT, kind="web")
    assert isinstance(started, sign_in.Started)
    resumed = resume_login_session(started.login_session_id, CLIENT.ip)
    assert isinstance(resumed, SignedIn)
    return resumed


@on_sqlite
@pytest.mark.asvs("11.4.2", "11.2.2")
def test_a_hash_made_at_another_cost_is_made_anew_at_the_next_sign_in(new_app: NewApp, alice: str, rows: Rows) -> None:
    before = rows.user().password_hash or ""
    dearer = new_app(ARGON2_TIME_COST=2)
    assert Browser(dearer).sign_in(alice).status_code == 303
    after = rows.user().password_hash or ""
    assert ("t=1," in before, "t=2," in after) == (True, True)
    hashing = runtime_of(dearer).hashing
    count = hashing.hashes_made
    assert Browser(dearer).sign_in(alice).status_code == 303
    assert rows.user().password_hash == after
    assert hashing.hashes_made == count + 1


@on_sqlite
def test_a_rehash_does_not_bring_back_a_password_that_was_changed_meanwhile(
    app: Flask, new_app: NewApp, alice: str, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    dearer = new_app(ARGON2_TIME_COST=2)
    changed = runtime_of(dearer).hashing.hash(NEW_PASSWORD)
    really = PasswordHashing.needs_rehash

    def change_meanwhile(self: PasswordHashing, password_hash: str) -> bool:
        rows.set(User, {"email": alice}, password_hash=changed, password_changed_at=clock.now())
        return really(self, password_hash)

    monkeypatch.setattr(PasswordHashing, "needs_rehash", change_meanwhile)
    assert Browser(dearer).sign_in(alice).status_code == 422, "what was proven is not the password any more"
    assert rows.user().password_hash == changed
    assert rows.live() == []


@pytest.mark.asvs("15.4.2")
def test_a_proof_ends_with_the_password_it_was_given_by(in_the_app: None, rows: Rows) -> None:
    proof = prove()
    me = start(prove())
    passwords.change_password(me, PASSWORD, NEW_PASSWORD, CLIENT)
    with pytest.raises(InvalidCredentials):
        sign_in.start_sign_in(proof, CLIENT, kind="web")
    assert len(rows.live()) == 1


@pytest.mark.asvs("15.4.2", "15.4.3")
def test_a_sign_in_waits_for_a_change_that_is_under_way_and_then_fails(
    app: Flask, in_the_app: None, rows: Rows
) -> None:
    proof, me = prove(), start(prove())
    outcome: list[str] = []

    def sign_in_meanwhile() -> None:
        with app.app_context():
            try:
                sign_in.start_sign_in(proof, CLIENT, kind="web")
            except InvalidCredentials:
                outcome.append("refused")
            else:
                outcome.append("let in")

    other = threading.Thread(target=sign_in_meanwhile)
    with transaction() as tx:
        user, _ = lock_live(tx, me)
        other.start()
        other.join(timeout=0.2)
        assert outcome == [], "it waits"
        user.password_changed_at = clock.now()
        end_login_sessions(tx, user.id, EndReason.PASSWORD_CHANGED)
    other.join(timeout=60)
    assert outcome == ["refused"]
    assert rows.live() == []


CHANGES: dict[str, Callable[[SignedIn], object]] = {
    "password": lambda me: passwords.change_password(me, PASSWORD, NEW_PASSWORD, CLIENT),
    "address": lambda me: email_change.request_email_change(me, "new@example.com", CLIENT),
    "proof": lambda me: reauthentication.prove_password_again(me, PASSWORD, CLIENT),
}


@on_sqlite
def test_a_session_that_ended_while_the_request_was_under_way_changes_nothing(in_the_app: None, rows: Rows) -> None:
    before = rows.user()
    for end in ({"ended_at": clock.now()}, {"idle_limit": 0}, {"expires_at": clock.now()}):
        me = start(prove())
        rows.set(LoginSession, {"id": me.login_session_id}, **end)
        for change in CHANGES.values():
            with pytest.raises(NotSignedIn):
                change(me)
    assert rows.user().password_hash == before.password_hash
    assert email_change.find_pending_change(before.id) is None


@on_sqlite
@pytest.mark.asvs("6.2.10")
def test_nothing_in_the_settings_makes_a_password_old(app: Flask) -> None:
    names = [name for name in type(runtime_of(app).settings).model_fields if "PASSWORD" in name]
    assert names == ["PASSWORD_MIN_LENGTH"]


@on_sqlite
def test_a_blocked_password_opens_nothing_and_its_owner_gets_a_link(
    in_the_app: None, rows: Rows, new_browser: NewBrowser
) -> None:
    rows.set(User, {"email": "alice@example.com"}, password_blocked_at=clock.now() - timedelta(days=300))
    with pytest.raises(PasswordBlocked):
        sign_in.start_sign_in(prove(), CLIENT, kind="api")
    with pytest.raises(InvalidCredentials):
        prove("not what was chosen here")
