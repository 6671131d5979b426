"""Many at once, on the services themselves, in PostgreSQL and in SQLite: the rules hold, and nobody waits for ever.

Every round lets its crowd go at one moment. Constraints and conditional updates decide who wins; that a test passes
only by luck is what the rounds are for.
"""

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from tests.conftest import NewApp
from tests.people import NEW_PASSWORD, PASSWORD, runtime_of
from webapp import clock
from webapp.errors import DomainError
from webapp.extensions import db
from webapp.models import CookieSession, LoginSession, OneTimeToken, OutboxMessage, SecurityEvent, User
from webapp.policy.one_time import Purpose
from webapp.services import (
    account_deletion,
    email_change,
    housekeeping,
    login_sessions,
    not_me,
    passwords,
    reauthentication,
    registration,
    sign_in,
    sign_in_steps,
    users,
)
from webapp.services.client import Client
from webapp.services.login_sessions import SignedIn
from webapp.services.one_time import issue_token
from webapp.services.transaction import transaction

EMAIL = "alice@example.com"
CLIENT = Client(ip="192.0.2.1", user_agent="test")
CROWD = 20


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    """Without limits, which would end most races before they begin, and with as many connections as a crowd needs."""
    return new_app(RATELIMIT_ENABLED=False, THREADS=CROWD, ARGON2_CONCURRENCY=CROWD)


@pytest.fixture
def user_id(app: Flask) -> uuid.UUID:
    """A confirmed account."""
    with app.app_context():
        now = clock.now()
        columns = {"email": EMAIL, "email_key": EMAIL, "name": "Alice", "created_at": now, "email_verified_at": now}
        user = User(**columns, password_hash=runtime_of(app).hashing.hash(PASSWORD), password_changed_at=now)
        db.session.add(user)
        db.session.commit()
        return user.id


def all_at_once(app: Flask, tasks: Sequence[Callable[[], object]]) -> list[str]:
    """Run each task in a thread and a context of its own, let go together: "done", or the code of its refusal.

    Anything but a refusal fails the test: a deadlock, "database is locked", a row that was not where it should be.
    """
    gate = threading.Barrier(len(tasks))

    def run(task: Callable[[], object]) -> str:
        with app.app_context():
            gate.wait(timeout=60)
            try:
                task()
            except DomainError as refusal:
                return refusal.code
            return "done"

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def count(app: Flask, model: type[Any], *conditions: Any) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


def live_sessions(app: Flask) -> int:
    return count(app, LoginSession, LoginSession.ended_at.is_(None))


def user_of(app: Flask, user_id: uuid.UUID) -> User:
    with app.app_context():
        return db.session.get_one(User, user_id)


def proof_of(app: Flask) -> sign_in.Proof:
    with app.app_context():
        return passwords.verify_password(EMAIL, PASSWORD, CLIENT)


def signed_in(app: Flask, proof: sign_in.Proof | None = None) -> SignedIn:
    with app.app_context():
        started = sign_in.start_sign_in(proof or passwords.verify_password(EMAIL, PASSWORD, CLIENT), CLIENT, kind="web")
        assert isinstance(started, sign_in.Started)
        resumed = login_sessions.resume_login_session(started.login_session_id, CLIENT.ip)
        assert isinstance(resumed, SignedIn)
        return resumed


def link_for(app: Flask, user_id: uuid.UUID, purpose: Purpose) -> str:
    with app.app_context(), transaction() as tx:
        return issue_token(tx, user_id, purpose, data={"email": "new@example.com", "from": EMAIL})


USES: dict[Purpose, Callable[[str, SignedIn], object]] = {
    Purpose.RESET_PASSWORD: lambda raw, _: passwords.reset_password(raw, NEW_PASSWORD, CLIENT),
    Purpose.CONFIRM_EMAIL: lambda raw, _: registration.confirm_email(raw, CLIENT),
    Purpose.CHANGE_EMAIL: lambda raw, me: email_change.confirm_email_change(me, raw, CLIENT),
    Purpose.UNDO_EMAIL_CHANGE: lambda raw, _: email_change.undo_email_change(raw, CLIENT),
}


@pytest.mark.asvs("2.3.4", "15.4.2", "15.4.3")
@pytest.mark.parametrize("purpose", USES)
def test_of_twenty_who_use_one_link_one_wins(app: Flask, user_id: uuid.UUID, purpose: Purpose) -> None:
    me, raw = signed_in(app), link_for(app, user_id, purpose)
    outcomes = all_at_once(app, [lambda: USES[purpose](raw, me)] * CROWD)
    assert Counter(outcomes) == {"done": 1, "link_used": CROWD - 1}


@pytest.mark.asvs("15.4.2")
def test_of_twenty_links_asked_for_at_once_one_is_good(app: Flask, user_id: uuid.UUID) -> None:
    assert set(all_at_once(app, [lambda: passwords.forgot_password(EMAIL, CLIENT)] * CROWD)) == {"done"}
    assert count(app, OneTimeToken) == CROWD
    assert count(app, OneTimeToken, OneTimeToken.ended_at.is_(None)) == 1


@pytest.mark.asvs("2.3.4", "15.4.2")
def test_twenty_registrations_of_one_address_make_one_account(app: Flask) -> None:
    def register() -> None:
        registration.register("bob@example.com", PASSWORD, "Bob", "en", CLIENT)

    assert set(all_at_once(app, [register] * CROWD)) == {"done"}
    assert count(app, User) == 1
    assert count(app, OutboxMessage) == CROWD  # the same work for each
    assert count(app, OneTimeToken, OneTimeToken.ended_at.is_(None)) == 1


@pytest.mark.asvs("7.1.2", "15.4.2")
def test_parallel_sign_ins_never_exceed_what_one_user_may_have(
    app: Flask, user_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_sessions, "MOST_A_USER", 5)
    proof = proof_of(app)
    outcomes = all_at_once(app, [lambda: sign_in.start_sign_in(proof, CLIENT, kind="web")] * CROWD)
    assert set(outcomes) == {"done"}
    assert live_sessions(app) == 5
    assert count(app, LoginSession, LoginSession.end_reason == "too_many") == CROWD - 5


@pytest.mark.asvs("15.4.2")
def test_of_parallel_password_changes_by_the_same_old_password_one_holds(app: Flask, user_id: uuid.UUID) -> None:
    places = [signed_in(app) for _ in range(4)] * 2
    new = [f"{NEW_PASSWORD} {number}" for number in range(len(places))]
    changes = [
        lambda place=place, password=password: passwords.change_password(place, PASSWORD, password, CLIENT)
        for place, password in zip(places, new, strict=True)
    ]
    outcomes = all_at_once(app, changes)
    assert outcomes.count("done") == 1
    assert set(outcomes) <= {"done", "not_signed_in", "invalid_credentials"}
    winner = new[outcomes.index("done")]
    password_hash = user_of(app, user_id).password_hash
    assert runtime_of(app).hashing.verify(password_hash, winner)
    assert live_sessions(app) == 1
    assert count(app, SecurityEvent, SecurityEvent.kind == "password_changed") == 1


def reset_password(user_id: uuid.UUID) -> None:
    with transaction() as tx:
        raw = issue_token(tx, user_id, Purpose.RESET_PASSWORD)
    passwords.reset_password(raw, NEW_PASSWORD, CLIENT)


ENDINGS: dict[str, tuple[Callable[[SignedIn], object], int]] = {
    "password changed": (lambda place: passwords.change_password(place, PASSWORD, NEW_PASSWORD, CLIENT), 1),
    "password reset": (lambda place: reset_password(place.user_id), 0),
    "not me": (lambda place: not_me.report_not_me(place, CLIENT), 0),
    "disabled": (lambda place: users.disable_user(place.email), 0),
    "deletion": (lambda place: account_deletion.schedule_deletion(place, CLIENT), 0),
}


@pytest.mark.asvs("7.4.2", "7.4.3", "15.4.2")
@pytest.mark.parametrize(("ending", "left"), ENDINGS.values(), ids=ENDINGS)
def test_no_sign_in_that_was_under_way_outlives_what_ends_them_all(
    app: Flask, user_id: uuid.UUID, ending: Callable[[SignedIn], object], left: int
) -> None:
    place, proof = signed_in(app), proof_of(app)
    start = [lambda: sign_in.start_sign_in(proof, CLIENT, kind="web")] * 7
    outcomes = all_at_once(app, [*start[:3], lambda: ending(place), *start[3:]])
    assert outcomes[3] == "done"
    assert set(outcomes) <= {"done", "invalid_credentials", "account_disabled", "password_blocked"}
    assert live_sessions(app) == left


@pytest.mark.asvs("15.4.2")
def test_an_account_at_its_last_moment_is_kept_or_gone_and_never_both(app: Flask, user_id: uuid.UUID) -> None:
    with app.app_context():
        due = clock.now() + timedelta(hours=1)
        db.session.execute(update(User).values(deletion_due_at=due))
        db.session.commit()
    with app.app_context():
        pending = sign_in.start_sign_in(proof_of(app), CLIENT, kind="web")
        assert isinstance(pending, sign_in.Pending)
        db.session.execute(update(User).values(deletion_due_at=clock.now()))
        db.session.commit()
    keep = [lambda: sign_in_steps.keep_account(pending.handle, CLIENT)] * 4
    outcomes = all_at_once(app, [*keep, *[lambda: account_deletion.delete_due_accounts(10)] * 4])
    kept = outcomes[:4].count("done")
    assert kept <= 1
    assert set(outcomes[:4]) <= {"done", "sign_in_expired", "invalid_credentials"}
    assert (count(app, User), live_sessions(app)) == (kept, kept)
    assert count(app, OutboxMessage, OutboxMessage.event == "account_deleted") == 1 - kept


@pytest.mark.asvs("15.4.3")
def test_workers_that_tidy_up_at_the_same_time_share_the_work(
    app: Flask, user_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "SLICE", 20)
    place, now = signed_in(app), clock.now()
    with app.app_context():
        old = now - timedelta(days=500)
        login = {"user_id": user_id, "kind": "web", "methods": "pwd", "auth_time": old, "created_at": old, "ip": "::1"}
        login |= {"last_seen_at": old, "idle_limit": 60, "expires_at": old, "user_agent": ""}
        event = {"user_id": user_id, "kind": "signed_in", "at": old, "ip": "::1", "user_agent": ""}
        db.session.add_all(row for _ in range(100) for row in (LoginSession(**login), SecurityEvent(**event)))
        db.session.add_all(CookieSession(key=str(number), data=b"", expires_at=old) for number in range(100))
        leaving = {"name": "", "created_at": now, "email_verified_at": now, "deletion_due_at": now}
        db.session.add_all(User(email=f"{n}@a.example", email_key=f"{n}@a.example", **leaving) for n in range(30))
        db.session.commit()
    done: list[dict[str, int]] = []
    assert set(all_at_once(app, [lambda: done.append(housekeeping.purge())] * 4)) == {"done"}
    with app.app_context():
        done.append(housekeeping.purge())  # what one held, the others left
    assert sum(gone["login_sessions"] for gone in done) == 100
    assert sum(gone["security_events"] for gone in done) == 100
    assert sum(gone["deleted_accounts"] for gone in done) == 30
    assert count(app, OutboxMessage, OutboxMessage.event == "account_deleted") == 30
    assert live_sessions(app) == 1
    with app.app_context():
        assert isinstance(login_sessions.resume_login_session(place.login_session_id, CLIENT.ip), SignedIn)


@pytest.mark.asvs("15.4.3")
def test_whatever_people_and_operators_do_at_once_nobody_waits_for_ever(app: Flask, user_id: uuid.UUID) -> None:
    """Each takes several locks. Were they to take them in different orders, one here would end in a deadlock."""
    for _ in range(5):
        with app.app_context():
            columns = {"password_hash": runtime_of(app).hashing.hash(PASSWORD), "email": EMAIL, "email_key": EMAIL}
            columns |= dict.fromkeys(("password_blocked_at", "deletion_due_at", "disabled_at"))
            db.session.execute(update(User).values(**columns, password_changed_at=clock.now()))
            db.session.commit()
        outcomes = all_at_once(app, everything(app, user_id))
        refusals = {"not_signed_in", "invalid_credentials", "not_found", "account_disabled", "password_blocked"}
        assert set(outcomes) <= {"done", "link_used", "link_replaced", "link_invalid"} | refusals


def everything(app: Flask, user_id: uuid.UUID) -> list[Callable[[], object]]:
    """What can be done about one account, by the account's own and by operators."""
    proof = proof_of(app)
    first, second, third, fourth = (signed_in(app, proof) for _ in range(4))
    links = {purpose: link_for(app, user_id, purpose) for purpose in USES}
    return [
        *(lambda raw=raw, use=USES[purpose]: use(raw, third) for purpose, raw in links.items()),
        lambda: sign_in.start_sign_in(proof, CLIENT, kind="web"),
        lambda: login_sessions.sign_out(first, CLIENT),
        lambda: login_sessions.sign_out(second, CLIENT),
        lambda: login_sessions.end_other_login_sessions(second, CLIENT),
        lambda: login_sessions.end_login_session(third, first.login_session_id, CLIENT),
        lambda: passwords.change_password(first, PASSWORD, NEW_PASSWORD, CLIENT),
        lambda: reauthentication.prove_password_again(second, PASSWORD, CLIENT),
        lambda: passwords.forgot_password(EMAIL, CLIENT),
        lambda: email_change.request_email_change(third, "third@example.com", CLIENT),
        lambda: account_deletion.schedule_deletion(fourth, CLIENT),
        lambda: not_me.report_not_me(fourth, CLIENT),
        lambda: users.sign_out_user(EMAIL),
        lambda: users.disable_user(EMAIL),
        users.sign_out_everybody,
        housekeeping.purge,
    ]
