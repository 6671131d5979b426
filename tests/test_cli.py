"""What an operator can do at the command line: safe to repeat, refused in one line, and no password in sight."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select

from tests.conftest import NewApp, NewBrowser, NewUser
from tests.people import NEW_PASSWORD, Browser, Mailbox
from webapp import clock
from webapp.extensions import db
from webapp.models import (
    AuthorizationRequest,
    Base,
    CookieSession,
    KnownDevice,
    LoginSession,
    OneTimeToken,
    OutboxMessage,
    RateLimit,
    SecurityEvent,
    SigningKey,
    SignInInProgress,
    SpentValue,
    TrustedBrowser,
    User,
)
from webapp.services import housekeeping, users

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
ACCESS_LIFE = timedelta(minutes=10)


@pytest.fixture
def anywhere(new_app: NewApp) -> Flask:
    """An application that keeps sessions and limits in its database, too."""
    return new_app(REDIS_URL="")


def run(app: Flask, *arguments: str) -> Result:
    """Run `flask ARGUMENTS`."""
    return app.test_cli_runner().invoke(args=arguments)


def done(app: Flask, *arguments: str) -> str:
    """What a command prints that works."""
    result = run(app, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(app: Flask, *arguments: str, exit_code: int = 1) -> str:
    """The one line of a command that is refused."""
    result = run(app, *arguments)
    assert result.exit_code == exit_code, result.output
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line and not line.startswith(("Usage:", "Try ", "20"))]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


@pytest.mark.asvs("6.4.1", "6.4.6")
def test_an_account_made_by_an_operator_gets_its_password_from_its_owner_alone(
    app: Flask, mailbox: Mailbox, browser: Browser
) -> None:
    printed = done(app, "users", "create", "bora@example.com", "--name", " Bora ", "--locale", "ko")
    uuid.UUID(printed.split()[0])
    assert "bora@example.com" not in printed
    assert browser.sign_in("bora@example.com", "").status_code == 422
    link = mailbox.link("bora@example.com", "/password/reset/")
    assert link not in printed
    assert browser.submit(link, password=NEW_PASSWORD).status_code == 303
    assert browser.sign_in("bora@example.com", NEW_PASSWORD).status_code == 303
    assert "Bora" in browser.get("/account").text
    assert refused(app, "users", "create", "Bora@Example.com") == "there is an account with that address"


@pytest.mark.asvs("6.4.6")
def test_no_command_takes_or_shows_a_password(app: Flask, alice: str, mailbox: Mailbox) -> None:
    ours = {name: command for name, command in commands(app.cli) if name.split()[0] in ("users", "sessions", "mail")}
    assert len(ours) == 9
    for name, command in ours.items():
        assert command.help, name
        assert not any("password" in option for parameter in command.params for option in parameter.opts), name
    printed = done(app, "users", "list") + done(app, "users", "sign-out", alice) + done(app, "mail", "send")
    with app.app_context():
        password_hash = db.session.scalar(select(User.password_hash))
    assert password_hash is not None
    assert password_hash not in printed
    assert "argon2" not in printed


@pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "exit_code", "complaint"),
    [
        (("users", "create", "nobody"), 1, "that is not an address mail can be sent to"),
        (("users", "create", "a@example.com\nBcc: b@example.com"), 2, "holds characters that nobody can type"),
        (("users", "create", "\udcff@example.com"), 2, "holds characters that nobody can type"),
        (("users", "create", "a@example.com", "--name", "\x1b[31m"), 2, "holds characters that nobody can type"),
        (("users", "create", "a@example.com", "--locale", "fr"), 2, "'fr' is not one of"),
        (("users", "create", "a@example.com", "--password", "x"), 2, "No such option"),
        (("users", "disable", "nobody@example.com"), 1, "there is no account with that address"),
        (("users", "enable", "nobody@example.com"), 1, "there is no account with that address"),
        (("users", "sign-out", "nobody@example.com"), 1, "there is no account with that address"),
        (("users", "sign-out"), 2, "Missing argument 'EMAIL'"),
        (("users", "list", "--limit", "0"), 2, "0 is not in the range"),
        (("users", "list", "--after", "x"), 2, "'x' is not a valid UUID"),
        (("mail", "send", "--limit", "many"), 2, "'many' is not a valid integer"),
    ],
)
def test_a_refusal_is_one_line(app: Flask, arguments: tuple[str, ...], exit_code: int, complaint: str) -> None:
    assert complaint in refused(app, *arguments, exit_code=exit_code)


def test_a_name_of_any_length_is_kept_as_far_as_there_is_room(app: Flask) -> None:
    done(app, "users", "create", "a@example.com", "--name", "가" * 200)
    with app.app_context():
        assert db.session.scalar(select(User.name)) == "가" * 100


def test_accounts_are_listed_with_their_state_and_in_pages(app: Flask, new_user: NewUser) -> None:
    for name in ("one", "two", "three"):
        done(app, "users", "create", f"{name}@example.com")
    new_user("four@example.com")
    done(app, "users", "disable", "two@example.com")
    rows = [line.split() for line in done(app, "users", "list").splitlines()]
    assert [row[-1] for row in rows] == [f"{name}@example.com" for name in ("one", "two", "three", "four")]
    assert " ".join(rows[1][3:-1]) == "disabled, unconfirmed"
    assert rows[3][3] == "ok"
    page = done(app, "users", "list", "--after", rows[0][0], "--limit", "2")
    assert [line.split()[0] for line in page.splitlines()] == [rows[1][0], rows[2][0]]


@pytest.mark.asvs("7.4.2", "7.4.5")
def test_a_closed_account_is_out_at_once_and_stays_out_until_it_is_opened(
    app: Flask, alice: str, browser: Browser
) -> None:
    browser.sign_in(alice)
    for _ in range(2):  # again and again comes to the same
        assert done(app, "users", "disable", "ALICE@example.com ") == "closed; signed out everywhere\n"
    assert not browser.is_signed_in
    assert browser.sign_in(alice).status_code == 422
    for _ in range(2):
        assert done(app, "users", "enable", alice) == "open\n"
    assert not browser.is_signed_in
    assert browser.sign_in(alice).status_code == 303
    with app.app_context():
        kinds = list(db.session.scalars(select(SecurityEvent.kind)))
    assert (kinds.count("disabled"), kinds.count("enabled")) == (1, 1)


@pytest.mark.asvs("7.4.5")
def test_an_operator_ends_the_sessions_of_one_user(app: Flask, new_browser: NewBrowser, new_user: NewUser) -> None:
    alice, bob = new_user("alice@example.com"), new_user("bob@example.com")
    hers, also_hers, his = new_browser(), new_browser(), new_browser()
    hers.sign_in(alice), also_hers.sign_in(alice), his.sign_in(bob)
    assert done(app, "users", "sign-out", alice) == "2 login sessions ended\n"
    assert done(app, "users", "sign-out", alice) == "0 login sessions ended\n"
    assert [person.is_signed_in for person in (hers, also_hers, his)] == [False, False, True]
    assert "We signed this browser out." in hers.get("/login").text


@pytest.mark.asvs("7.4.5")
def test_an_operator_ends_the_sessions_of_everybody_slice_by_slice(
    app: Flask, new_browser: NewBrowser, new_user: NewUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [(new_user(f"user{number}@example.com"), new_browser()) for number in range(5)]
    for email, browser in people:
        browser.sign_in(email)
    with app.app_context():
        over = db.session.scalars(select(LoginSession).where(LoginSession.ended_at.is_(None))).first()
        assert over is not None
        over.expires_at = clock.now() - DAY
        over_id = over.id
        db.session.commit()
    monkeypatch.setattr(users, "SLICE", 2)
    assert done(app, "sessions", "revoke-all") == "4 login sessions ended\n"
    assert done(app, "sessions", "revoke-all") == "0 login sessions ended\n"
    assert not any(browser.is_signed_in for _, browser in people)
    with app.app_context():
        assert db.session.get_one(LoginSession, over_id).end_reason is None  # that it expired is still what it is told
    assert people[0][1].sign_in(people[0][0]).status_code == 303


def test_mails_go_out_by_command(app: Flask, tmp_path: Path) -> None:
    for number in range(3):
        done(app, "users", "create", f"user{number}@example.com")
    assert done(app, "mail", "send", "--limit", "2") == "2 sent, 1 waiting\n"
    assert done(app, "mail", "send") == "1 sent, 0 waiting\n"
    assert done(app, "mail", "send") == "0 sent, 0 waiting\n"
    assert len(list((tmp_path / "mail").glob("*.eml"))) == 3


def user_row(email: str, **columns: object) -> User:
    now = clock.now()
    return User(**{"email": email, "email_key": email, "created_at": now, "email_verified_at": now, **columns})


def rows_that(are_over: bool, user: User) -> list[Base]:
    """One row of every kind, over since a moment ago, or about to be."""
    now, hair = clock.now(), -SECOND if are_over else timedelta(minutes=1)
    name = "over" if are_over else "kept"
    login = {"user_id": user.id, "kind": "web", "methods": "pwd", "auth_time": now, "created_at": now, "ip": "::1"}
    login |= {"last_seen_at": now, "idle_limit": 3600, "user_agent": ""}
    step = {"user_id": user.id, "step": "keep_account", "kind": "web", "methods": "pwd", "proven_at": now}
    link = {"purpose": "reset_password", "user_id": user.id, "created_at": now}
    request = {"browser_hash": "b", "provider": "google", "issuer": "i", "intent": "sign_in", "sealed": b""}
    request |= {"created_at": now}
    mail = {"event": "nothing", "sealed": b"", "created_at": now, "next_attempt_at": now}
    app = {**login, "kind": "api", "expires_at": now + DAY, "end_reason": "password_changed"}
    trust = {"user_id": user.id, "user_agent": "", "ip": "::1"}
    key = {"sealed": b"", "created_at": now, "active_from": now - ACCESS_LIFE - timedelta(seconds=31)}
    return [
        CookieSession(key=name, data=b"", expires_at=now + hair),
        LoginSession(**login, expires_at=now - 2 * DAY + hair),
        SignInInProgress(**step, handle_hash=name, persistent=False, expires_at=now + hair),
        OneTimeToken(**link, token_hash=name, expires_at=now - 7 * DAY + hair),
        KnownDevice(user_id=user.id, device_hash=name, created_at=now, last_seen_at=now - 400 * DAY + hair),
        SecurityEvent(user_id=user.id, kind="signed_in", at=now - 365 * DAY + hair, ip="::1", user_agent=""),
        RateLimit(key=name, count=1, expires_at=now + hair),
        OutboxMessage(**mail, finished_at=now - 7 * DAY + hair, outcome="sent"),
        LoginSession(**app, ended_at=now - 7 * DAY - ACCESS_LIFE + hair),
        SigningKey(**key, kid=name, number=1 if are_over else 2),  # what the first one signed was over a second ago
        AuthorizationRequest(**request, state_hash=name, expires_at=now + hair),
        SpentValue(value_hash=name, expires_at=now + hair),
        TrustedBrowser(**trust, secret_hash=name, created_at=now, expires_at=now + hair),
        user_row(f"unconfirmed-{name}@example.com", email_verified_at=None, created_at=now - 7 * DAY + hair),
        user_row(f"leaving-{name}@example.com", deletion_due_at=now + hair),
    ]


@pytest.mark.asvs("14.2.7")
def test_the_purge_removes_exactly_what_is_over(anywhere: Flask) -> None:
    now = clock.now()
    with anywhere.app_context():
        alice = user_row("alice@example.com", created_at=now - 400 * DAY)
        db.session.add(alice)
        db.session.flush()
        db.session.add_all(rows_that(True, alice))
        kept = rows_that(False, alice)
        ended = rows_that(False, alice)[1]  # ended long ago; its cookie may come by and is to be told why
        assert isinstance(ended, LoginSession)
        ended.expires_at, ended.ended_at, ended.end_reason = now + DAY, now - 20 * DAY, "signed_out"
        waiting = OutboxMessage(event="x", sealed=b"x", created_at=now - 9 * DAY, next_attempt_at=now - 9 * DAY)
        db.session.add_all([*kept, ended, waiting])
        db.session.commit()
        expected = {str(db.session.merge(row).__mapper__.primary_key_from_instance(row)) for row in kept}
    printed = dict(line.split() for line in done(anywhere, "sessions", "purge").splitlines())
    assert set(printed.values()) == {"1"}
    assert len(printed) == 15
    with anywhere.app_context():
        left = [row for mapper in Base.registry.mappers for row in db.session.scalars(select(mapper.class_))]
        keys = {str(row.__mapper__.primary_key_from_instance(row)) for row in left}
    farewell = 1  # the mail to the account that was deleted
    assert expected <= keys
    assert len(left) == len(kept) + len([alice, ended, waiting]) + farewell
    assert set(dict(line.split() for line in done(anywhere, "sessions", "purge").splitlines()).values()) == {"0"}


def test_the_purge_works_in_slices_of_which_it_does_no_more_than_it_was_told(
    anywhere: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with anywhere.app_context():
        expired = clock.now() - DAY
        db.session.add_all(CookieSession(key=str(number), data=b"", expires_at=expired) for number in range(10))
        db.session.commit()
        monkeypatch.setattr(housekeeping, "SLICE", 3)
        assert housekeeping.purge(slices=2)["cookie_sessions"] == 6
        assert db.session.scalar(select(func.count()).select_from(CookieSession)) == 4
    assert "cookie_sessions        4" in done(anywhere, "sessions", "purge")


@pytest.mark.parametrize(
    "arguments",
    [("users", "list"), ("users", "create", "a@example.com"), ("sessions", "purge"), ("sessions", "revoke-all")],
)
@pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
def test_a_store_that_does_not_answer_is_told_in_one_line(
    new_app: NewApp, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    app = new_app(DATABASE_URL=f"sqlite:///{tmp_path}")
    assert "`flask --app wsgi doctor` says which" in refused(app, *arguments)
