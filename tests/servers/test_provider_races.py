"""Many at once who come from a provider, in PostgreSQL and in SQLite: one person is one user, one identity opens one
account, and nobody who was shut out meanwhile comes in by a proof of before.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from flask import Flask

from stand_in.people import ELSEWHERE, GMAIL
from tests.conftest import NewApp
from tests.people import PASSWORD, Browser, runtime_of
from tests.providers.lying import LyingProvider
from tests.providers.site import another_provider, come_back, google_settings, leave
from tests.rows import at_statements
from tests.servers.test_races import CLIENT, CROWD, EMAIL, all_at_once, count, live_sessions, signed_in
from webapp import clock
from webapp.errors import AccountExists
from webapp.extensions import db
from webapp.gateways.relying_party import ProvenIdentity
from webapp.models import Identity, OneTimeToken, OutboxMessage, SecurityEvent, User
from webapp.policy.one_time import Purpose
from webapp.services import (
    federation,
    linking,
    passwords,
    registration,
    sign_in,
)
from webapp.services.addresses import address_key
from webapp.services.login_sessions import SignedIn
from webapp.services.one_time import issue_token
from webapp.services.transaction import transaction


@pytest.fixture
def app(new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider) -> Flask:
    """Without limits, and with as many connections as a crowd needs."""
    crowd = {"RATELIMIT_ENABLED": False, "THREADS": CROWD, "ARGON2_CONCURRENCY": CROWD}
    return new_app(**google_settings(provider), **another_provider(other_provider), **crowd)


def proven(app: Flask, email: str = GMAIL.email, subject: str = GMAIL.sub) -> ProvenIdentity:
    """What a provider says of somebody."""
    return ProvenIdentity(
        issuer=runtime_of(app).relying_parties["google"].config.issuer,
        subject=subject,
        email=email,
        email_verified=True,
        name="Gwen",
        picture_url=None,
        locale="en",
        hosted_domain=None,
        auth_time=None,
    )


def admit(app: Flask, identity: ProvenIdentity) -> sign_in.Proof:
    config = runtime_of(app).relying_parties["google"].config
    return linking.admit(identity, config, CLIENT, locale="en").proof


def offered(app: Flask, identity: ProvenIdentity) -> str:
    """The handle of an offer to link it to the account that has its address."""
    with app.app_context(), pytest.raises(AccountExists) as refused:
        admit(app, identity)
    return str(refused.value.details["handle"])


def enter(app: Flask, identity: ProvenIdentity) -> None:
    sign_in.start_sign_in(admit(app, identity), CLIENT, kind="web")


def make_user(app: Flask, email: str = EMAIL, *, confirmed: bool = True) -> uuid.UUID:
    with app.app_context():
        now = clock.now()
        columns = {"email": email, "email_key": address_key(email), "name": "Alice", "created_at": now}
        user = User(**columns, email_verified_at=now if confirmed else None, password_changed_at=now)
        user.password_hash = runtime_of(app).hashing.hash(PASSWORD)
        db.session.add(user)
        db.session.commit()
        return user.id


def signed_in_as(app: Flask, email: str) -> SignedIn:
    with app.app_context():
        return signed_in(app, passwords.verify_password(email, PASSWORD, CLIENT))


@pytest.mark.asvs("15.4.2", "10.5.2")
def test_of_twenty_callbacks_at_once_for_somebody_new_there_is_one_user(app: Flask) -> None:
    outcomes = all_at_once(app, [partial(enter, app, proven(app))] * CROWD)
    assert set(outcomes) == {"done"}
    assert (count(app, User), count(app, Identity), live_sessions(app)) == (1, 1, CROWD)
    assert count(app, OutboxMessage, OutboxMessage.event == "account_created") == 1
    assert count(app, SecurityEvent, SecurityEvent.kind == "registered") == 1


@pytest.mark.asvs("15.4.2")
def test_two_browsers_that_come_back_at_the_same_moment_are_one_user(app: Flask, provider: LyingProvider) -> None:
    browsers = [Browser(app, ip=f"203.0.113.{number}") for number in range(1, 5)]
    callbacks = [provider.approve(leave(browser)) for browser in browsers]
    answers: list[int] = []

    def back(browser: Browser, callback: str) -> None:
        answers.append(come_back(browser, callback).status_code)

    assert set(all_at_once(app, [partial(back, *pair) for pair in zip(browsers, callbacks, strict=True)])) == {"done"}
    assert answers == [303] * len(browsers)
    assert all(browser.is_signed_in for browser in browsers)
    assert (count(app, User), count(app, Identity)) == (1, 1)


@pytest.mark.asvs("15.4.2", "10.5.2")
def test_of_two_subs_with_one_new_address_one_gets_the_account(app: Flask) -> None:
    tasks = [partial(enter, app, proven(app, subject=str(number % 2))) for number in range(CROWD)]
    outcomes = all_at_once(app, tasks)
    assert Counter(outcomes) == {"done": CROWD // 2, "identity_tied": CROWD // 2}
    assert (count(app, User), count(app, Identity)) == (1, 1)


@pytest.mark.asvs("15.4.2")
def test_the_same_identity_linked_by_many_accounts_at_once_opens_one(app: Flask) -> None:
    config = runtime_of(app).relying_parties["google"].config
    emails = [f"{number}@example.com" for number in range(8)]
    for email in emails:
        make_user(app, email)
    owners = [signed_in_as(app, email) for email in emails]
    outcomes = all_at_once(app, [partial(linking.link, owner, proven(app), config, CLIENT) for owner in owners])
    assert Counter(outcomes) == {"done": 1, "identity_elsewhere": len(emails) - 1}
    assert count(app, Identity) == 1
    assert count(app, OutboxMessage, OutboxMessage.event == "identity_linked") == 1


@pytest.mark.asvs("15.4.2")
def test_two_identities_linked_to_one_account_at_once_are_one(app: Flask) -> None:
    config = runtime_of(app).relying_parties["google"].config
    make_user(app)
    owner = signed_in_as(app, EMAIL)
    tasks = [partial(linking.link, owner, proven(app, subject=str(n)), config, CLIENT) for n in range(8)]
    assert Counter(all_at_once(app, tasks)) == {"done": 1, "identity_tied": 7}


@pytest.mark.asvs("15.4.2")
@pytest.mark.parametrize("stores", ["postgres"], indirect=True)  # SQLite lets nobody in between
@pytest.mark.parametrize("first", ["waits", "is linked on the page"])
def test_an_identity_that_somebody_else_links_in_the_last_moment_opens_one_account(app: Flask, first: str) -> None:
    config = runtime_of(app).relying_parties["google"].config
    make_user(app, ELSEWHERE.email)
    make_user(app, "bob@example.com")
    owner, bob = signed_in_as(app, ELSEWHERE.email), signed_in_as(app, "bob@example.com")
    identity = proven(app, ELSEWHERE.email, ELSEWHERE.sub)
    take = partial(federation.link_after_sign_in, "google", offered(app, identity), owner, CLIENT)
    steps: list[Callable[[], object]] = [take, partial(linking.link, bob, identity, config, CLIENT)]
    late, early = steps if first == "waits" else reversed(steps)
    with just_before(app, "INSERT INTO identities", early):
        assert all_at_once(app, [late]) == ["identity_elsewhere"]
    assert count(app, Identity) == 1


@contextmanager
def just_before(app: Flask, beginning: str, act: Callable[[], object]) -> Iterator[None]:
    """Have `act` done, once, right before the first statement that begins so."""
    waiting = [act]

    def interrupt(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith(beginning) and waiting:
            with app.app_context():
                waiting.pop()()

    with at_statements(runtime_of(app).engine, interrupt):
        yield
    assert not waiting


@pytest.mark.asvs("2.3.4", "15.4.2")
def test_an_offer_that_is_taken_many_times_at_once_links_once(app: Flask) -> None:
    make_user(app, ELSEWHERE.email)
    handle = offered(app, proven(app, ELSEWHERE.email, ELSEWHERE.sub))
    outcomes = all_at_once(app, [lambda: federation.link_by_password("google", handle, PASSWORD, CLIENT)] * 8)
    assert Counter(outcomes) == {"done": 1, "sign_in_expired": 7}
    assert (count(app, Identity), live_sessions(app)) == (1, 1)  # whoever was refused holds no session either
    assert count(app, OneTimeToken, OneTimeToken.ended_by == "used") == 1


@pytest.mark.asvs("15.4.2", "6.8.1")
def test_a_form_and_a_callback_at_once_for_one_address_leave_one_confirmed_account_of_its_owner(app: Flask) -> None:
    def register() -> None:
        registration.register(GMAIL.email, PASSWORD, "Mallory", "en", CLIENT)

    for _ in range(4):
        assert set(all_at_once(app, [*[register] * 4, *[partial(enter, app, proven(app))] * 4])) == {"done"}
        with app.app_context():
            (user,) = db.session.scalars(db.select(User)).all()
            assert (user.name, user.password_hash) == ("Gwen", None)
            assert user.email_verified_at is not None
            db.session.delete(user)
            db.session.commit()


@pytest.mark.asvs("15.4.2", "6.8.1")
def test_a_squatter_who_confirms_at_the_moment_of_the_take_over_is_confirmed_or_gone(app: Flask) -> None:
    """Whoever can confirm has the mailbox. Either they were first, and Google's own address links to what they
    confirmed; or the fresh account has no password of theirs. Never is there a mixture.
    """
    for _ in range(4):
        user_id = make_user(app, GMAIL.email, confirmed=False)
        with app.app_context(), transaction() as tx:
            raw = issue_token(tx, user_id, Purpose.CONFIRM_EMAIL)
        outcomes = all_at_once(
            app,
            [*[partial(enter, app, proven(app))] * 3, lambda raw=raw: registration.confirm_email(raw, CLIENT)],
        )
        assert outcomes[:3] == ["done"] * 3
        with app.app_context():
            (user,) = db.session.scalars(db.select(User)).all()
            confirmed = outcomes[3] == "done"
            assert outcomes[3] in ("done", "link_invalid", "link_used", "link_replaced")
            assert (user.id == user_id, user.password_hash is not None) == (confirmed, confirmed)
            db.session.delete(user)
            db.session.commit()
