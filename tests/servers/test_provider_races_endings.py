"""What shuts somebody out, at the moment when they come in by a provider: no proof of before opens anything after, and
nobody waits for ever.
"""

import uuid
from collections.abc import Callable
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import update

from stand_in.people import GMAIL
from tests.people import NEW_PASSWORD, runtime_of
from tests.servers.test_provider_races import admit, enter, make_user, proven, signed_in_as
from tests.servers.test_provider_races import app as app
from tests.servers.test_races import CLIENT, EMAIL, all_at_once, count
from webapp import clock
from webapp.extensions import db
from webapp.models import Identity, LoginSession, User
from webapp.policy.one_time import Purpose
from webapp.services import account_deletion, email_change, identities, linking, not_me, passwords, sign_in, users
from webapp.services.login_sessions import SignedIn
from webapp.services.one_time import issue_token
from webapp.services.transaction import transaction

SHUT_OUT: dict[str, Callable[[SignedIn], object]] = {
    "disconnected": lambda me: identities.unlink(me, "google", CLIENT),
    "not me": lambda me: not_me.report_not_me(me, CLIENT),
    "disabled": lambda me: users.disable_user(me.email),
    "deletion": lambda me: account_deletion.schedule_deletion(me, CLIENT),
    "undone": lambda me: email_change.undo_email_change(undo_link(me), CLIENT),
}


def undo_link(me: SignedIn) -> str:
    with transaction() as tx:
        return issue_token(tx, me.user_id, Purpose.UNDO_EMAIL_CHANGE, data={"email": "before@example.com"})


@pytest.mark.asvs("7.4.2", "15.4.2")
@pytest.mark.parametrize("ending", SHUT_OUT.values(), ids=SHUT_OUT)
@pytest.mark.parametrize("kind", ["web", "api"])
def test_a_proof_of_before_opens_nothing_after(app: Flask, ending: Callable[[SignedIn], object], kind: str) -> None:
    """Between the provider's answer and the session there is a moment."""
    linked_user(app)
    me = signed_in_as(app, EMAIL)
    with app.app_context():
        proof = admit(app, proven(app))
        ending(me)
    (outcome,) = all_at_once(app, [lambda: sign_in.start_sign_in(proof, CLIENT, kind=kind)])
    begun = count(app, LoginSession, LoginSession.methods == "google", LoginSession.ended_at.is_(None))
    assert (outcome in ("sign_in_expired", "account_disabled") or ending is SHUT_OUT["deletion"], begun) == (True, 0)


@pytest.mark.asvs("15.4.2", "15.4.3")
@pytest.mark.parametrize("ending", SHUT_OUT.values(), ids=SHUT_OUT)
def test_no_sign_in_by_the_provider_outlives_what_shuts_it_out(
    app: Flask, ending: Callable[[SignedIn], object]
) -> None:
    linked_user(app)
    me = signed_in_as(app, EMAIL)
    enter_here = partial(enter, app, proven(app))
    outcomes = all_at_once(app, [*[enter_here] * 4, lambda: ending(me), *[enter_here] * 4])
    assert outcomes[4] == "done"
    assert set(outcomes) <= {"done", "sign_in_expired", "account_disabled"}
    with app.app_context():
        owner = db.session.scalars(db.select(User).where(User.id == me.user_id)).one()
        begun = LoginSession.methods == "google", LoginSession.ended_at.is_(None), LoginSession.user_id == owner.id
        assert db.session.scalar(db.select(db.func.count()).select_from(LoginSession).where(*begun)) == 0


def linked_user(app: Flask) -> uuid.UUID:
    """An account with a password, opened by an identity whose address is another."""
    user_id = make_user(app)
    config = runtime_of(app).relying_parties["google"].config
    owner = signed_in_as(app, EMAIL)
    with app.app_context():
        linking.link(owner, proven(app), config, CLIENT)
    return user_id


@pytest.mark.asvs("15.4.2")
def test_of_two_ways_in_that_are_taken_away_at_once_one_stays(app: Flask) -> None:
    user_id = linked_user(app)
    me = signed_in_as(app, EMAIL)
    with app.app_context():
        now, acme = clock.now(), runtime_of(app).relying_parties["acme"].config
        row = {"user_id": user_id, "provider": "acme", "issuer": acme.issuer, "subject": "7", "created_at": now}
        db.session.add(Identity(**row))
        db.session.execute(update(User).values(password_hash=None, password_changed_at=None))
        db.session.commit()
    both = [lambda name=name: identities.unlink(me, name, CLIENT) for name in ("google", "acme")] * 2
    outcomes = all_at_once(app, both)
    assert outcomes.count("done") == 1
    assert set(outcomes) <= {"done", "last_way_in", "not_found"}
    assert count(app, Identity) == 1


@pytest.mark.asvs("15.4.3")
def test_whatever_is_done_about_linked_accounts_at_once_nobody_waits_for_ever(app: Flask) -> None:
    """Each takes several locks. Were they to take them in different orders, one here would end in a deadlock."""
    config = runtime_of(app).relying_parties["google"].config
    linked_user(app)
    other = make_user(app, GMAIL.email)
    me, them = signed_in_as(app, EMAIL), signed_in_as(app, GMAIL.email)
    for _ in range(3):
        with app.app_context(), transaction() as tx:
            raw = issue_token(tx, other, Purpose.RESET_PASSWORD)
        tasks: list[Callable[[], object]] = [
            *[partial(enter, app, proven(app))] * 3,
            *[partial(enter, app, proven(app, subject="99"))] * 2,
            *[partial(linking.link, who, proven(app), config, CLIENT) for who in (me, them)],
            *[partial(identities.unlink, who, "google", CLIENT) for who in (me, them)],
            partial(identities.list_connections, me),
            partial(not_me.report_not_me, them, CLIENT),
            lambda raw=raw: passwords.reset_password(raw, NEW_PASSWORD, CLIENT),
            users.sign_out_everybody,
        ]
        outcomes = set(all_at_once(app, tasks))
        assert outcomes <= {
            *("done", "not_signed_in", "identity_elsewhere", "identity_tied", "not_found", "last_way_in"),
            *("sign_in_expired", "link_replaced", "link_used", "invalid_credentials", "busy"),
        }
