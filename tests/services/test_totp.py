"""Authenticator apps: set up, confirmed by a code, each step accepted once."""

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import time_machine
from flask import Flask

from tests.conftest import NewApp
from tests.factors import Phone
from tests.journeys.crowds import all_at_once
from tests.rows import Rows, on_sqlite
from tests.services.signed_in import CLIENT, proof_of, seen_again, signed_in
from tests.source import modules
from webapp import clock
from webapp.errors import FactorRefused, NotFound, ReauthenticationRequired
from webapp.models import LoginSession, SignInInProgress, TotpFactor, User
from webapp.policy.login_sessions import FRESH_FOR
from webapp.services import factors, recovery_codes, sign_in, sign_in_steps, totp
from webapp.services.login_sessions import SignedIn
from webapp.services.second_factor import Answer, Method
from webapp.services.sign_in import Pending, Started
from webapp.services.transaction import transaction

ALICE, BOB = "alice@example.com", "bob@example.com"


@pytest.fixture(autouse=True)
def in_the_app(app: Flask, alice: str) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def me(rows: Rows) -> SignedIn:
    return signed_in(rows)


def set_up(me: SignedIn, rows: Rows) -> Phone:
    phone = Phone(totp.begin_totp(me).secret, rows)
    totp.confirm_totp(me, phone.code(), CLIENT)
    rows.set(TotpFactor, {"user_id": me.user_id}, last_step=None)
    return phone


def waiting(rows: Rows, email: str = ALICE) -> str:
    outcome = sign_in.start_sign_in(proof_of(rows, email=email), CLIENT, kind="web")
    assert isinstance(outcome, Pending)
    return outcome.handle


def show(handle: str, code: str) -> object:
    return sign_in_steps.pass_second_factor(handle, Answer(Method.TOTP, code), CLIENT).outcome


def opens(rows: Rows, code: str, email: str = ALICE) -> bool:
    try:
        return isinstance(show(waiting(rows, email), code), Started)
    except FactorRefused:
        return False


# Setting up


@on_sqlite
def test_the_address_for_the_app_says_what_it_is_for_and_the_secret_has_160_bits(me: SignedIn) -> None:
    setup = totp.begin_totp(me)
    parsed = pyotp.parse_uri(setup.uri)
    assert isinstance(parsed, pyotp.TOTP)
    assert (parsed.secret, parsed.name, parsed.issuer) == (setup.secret, ALICE, "Doorway")
    assert (parsed.digits, parsed.interval, parsed.digest().name) == (6, 30, "sha1")
    assert len(parsed.byte_secret()) == 20
    assert setup.secret not in repr(setup)


@on_sqlite
@pytest.mark.asvs("6.5.3")
def test_the_secret_is_drawn_from_the_systems_generator(me: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    class Recorder(secrets.SystemRandom):
        def choice(self, seq: Any) -> Any:
            drawn.append(super().choice(seq))
            return drawn[-1]

    monkeypatch.setattr("pyotp.random", Recorder())
    assert totp.begin_totp(me).secret == "".join(drawn)
    assert not [module.name for module in modules() if "random" in module.imported_modules()]


@on_sqlite
@pytest.mark.asvs("11.3.3")
def test_the_secret_is_stored_sealed(me: SignedIn, rows: Rows) -> None:
    secret = totp.begin_totp(me).secret
    assert secret not in "".join(value for _, value in rows.texts())
    raw = pyotp.TOTP(secret).byte_secret().decode("latin-1")
    assert raw not in "".join(value for _, value in rows.texts())


@on_sqlite
@pytest.mark.asvs("11.3.3")
def test_a_row_that_is_copied_to_another_user_opens_nothing(
    rows: Rows, me: SignedIn, new_user: Callable[..., str]
) -> None:
    phone = set_up(me, rows)
    new_user(BOB, name="Bob")
    (row,) = rows.all(TotpFactor)
    now = clock.now()
    rows.add(TotpFactor(user_id=rows.user(BOB).id, sealed=row.sealed, created_at=now, confirmed_at=now, last_step=None))
    rows.set(User, {"email": BOB}, second_factor_since=now)
    assert not opens(rows, phone.code(), BOB)
    assert opens(rows, phone.code(), ALICE)


@on_sqlite
def test_it_counts_for_nothing_until_it_has_shown_a_code(me: SignedIn, rows: Rows) -> None:
    phone = Phone(totp.begin_totp(me).secret, rows)
    assert rows.user().second_factor_since is None
    assert isinstance(sign_in.start_sign_in(proof_of(rows), CLIENT, kind="web"), Started)
    with pytest.raises(FactorRefused):
        totp.confirm_totp(me, "000000" if phone.code() != "000000" else "111111", CLIENT)
    assert rows.user().second_factor_since is None
    totp.confirm_totp(me, phone.code(), CLIENT)
    assert rows.user().second_factor_since is not None
    assert isinstance(sign_in.start_sign_in(proof_of(rows), CLIENT, kind="web"), Pending)


@on_sqlite
def test_looking_at_the_page_again_makes_no_second_secret(me: SignedIn, rows: Rows) -> None:
    assert totp.begin_totp(me) == totp.begin_totp(me)
    assert rows.count(TotpFactor) == 1


@on_sqlite
def test_a_secret_that_somebody_saw_in_another_session_is_not_the_one_that_the_owner_confirms(
    me: SignedIn, rows: Rows
) -> None:
    """Mallory, in a session of Alice's, opens the page, keeps the secret, and waits for Alice to set her app up."""
    seen = totp.begin_totp(signed_in(rows)).secret
    phone = Phone(totp.begin_totp(me).secret, rows)
    assert phone.secret != seen
    with pytest.raises(FactorRefused):
        totp.confirm_totp(me, Phone(seen, rows).code(), CLIENT)
    totp.confirm_totp(me, phone.code(), CLIENT)
    rows.set(TotpFactor, {}, last_step=None)
    assert not opens(rows, Phone(seen, rows).code())
    assert opens(rows, phone.code())
    assert rows.count(TotpFactor) == 1


@on_sqlite
def test_one_that_works_is_not_shown_again_nor_replaced(me: SignedIn, rows: Rows) -> None:
    phone = set_up(me, rows)
    now = seen_again(me.login_session_id)
    with pytest.raises(NotFound):
        totp.begin_totp(now)
    with pytest.raises(NotFound):
        totp.confirm_totp(now, phone.code(), CLIENT)


@on_sqlite
@pytest.mark.asvs("7.5.1")
@pytest.mark.parametrize(
    "change",
    [
        totp.begin_totp,
        lambda me: totp.confirm_totp(me, "123456", CLIENT),
        lambda me: totp.remove_totp(me, CLIENT),
        lambda me: recovery_codes.make_codes(me, CLIENT),
    ],
)
def test_every_change_asks_for_a_fresh_sign_in(me: SignedIn, rows: Rows, change: Callable[[SignedIn], object]) -> None:
    rows.set(LoginSession, {"id": me.login_session_id}, auth_time=clock.now() - FRESH_FOR)
    with pytest.raises(ReauthenticationRequired):
        change(seen_again(me.login_session_id))


@on_sqlite
@pytest.mark.asvs("7.5.1")
def test_a_session_that_showed_one_factor_of_two_is_fresh_for_no_change(me: SignedIn, rows: Rows) -> None:
    set_up(me, rows)
    rows.set(LoginSession, {"id": me.login_session_id}, methods="pwd")
    with pytest.raises(ReauthenticationRequired):
        totp.remove_totp(seen_again(me.login_session_id), CLIENT)


# Codes


@on_sqlite
@pytest.mark.asvs("6.5.5", "6.5.8")
def test_a_code_is_good_in_its_step_and_one_step_late(me: SignedIn, rows: Rows, at: time_machine.Traveller) -> None:
    at.move_to(datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC), tick=False)
    rows.set(LoginSession, {}, auth_time=clock.now(), last_seen_at=clock.now(), expires_at=clock.now() + timedelta(1))
    phone = set_up(me, rows)
    code = phone.code()
    for seconds, good in ((-1, False), (0, True), (29, True), (30, True), (59, True), (60, False), (90, False)):
        at.move_to(datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC) + timedelta(seconds=seconds), tick=False)
        rows.set(TotpFactor, {}, last_step=None)
        assert opens(rows, code) is good, seconds


@on_sqlite
@pytest.mark.asvs("6.5.1")
def test_a_code_is_good_once_and_no_code_of_before_it_is(me: SignedIn, rows: Rows) -> None:
    phone = set_up(me, rows)
    code, earlier = phone.code(), phone.code(steps_ago=1)
    assert opens(rows, code)
    assert not opens(rows, code)
    assert not opens(rows, earlier)


@on_sqlite
@pytest.mark.asvs("6.5.1")
def test_the_code_that_confirmed_the_app_signs_nobody_in(me: SignedIn, rows: Rows) -> None:
    phone = Phone(totp.begin_totp(me).secret, rows)
    code = phone.code()
    totp.confirm_totp(me, code, CLIENT)
    assert not opens(rows, code)


@on_sqlite
@pytest.mark.asvs("6.5.1")
def test_a_clock_that_was_put_back_makes_no_used_code_good_again(
    me: SignedIn, rows: Rows, at: time_machine.Traveller
) -> None:
    phone = set_up(me, rows)
    code = phone.code()
    assert opens(rows, code)
    at.shift(timedelta(seconds=-30))
    assert not opens(rows, code)
    assert not opens(rows, phone.code())


@pytest.mark.asvs("6.5.1", "15.4.2", "2.3.4")
def test_of_many_who_show_one_code_at_once_one_gets_in(app: Flask, me: SignedIn, rows: Rows) -> None:
    phone = set_up(me, rows)
    code, handles = phone.code(), [waiting(rows) for _ in range(8)]

    def attempt(handle: str) -> Callable[[], bool]:
        def go() -> bool:
            with app.app_context():
                try:
                    return isinstance(show(handle, code), Started)
                except FactorRefused:
                    return False

        return go

    assert sorted(all_at_once([attempt(handle) for handle in handles])) == [False] * 7 + [True]
    assert rows.count(SignInInProgress) == 7, "the others may try another code"


@on_sqlite
@pytest.mark.asvs("6.5.6")
def test_an_app_that_was_removed_opens_nothing_and_a_new_one_has_another_secret(me: SignedIn, rows: Rows) -> None:
    phone = set_up(me, rows)
    totp.remove_totp(seen_again(me.login_session_id), CLIENT)
    assert (rows.count(TotpFactor), rows.user().second_factor_since) == (0, None)
    again = set_up(seen_again(me.login_session_id), rows)
    assert again.secret != phone.secret
    assert not opens(rows, phone.code())


@on_sqlite
def test_a_secret_outlives_the_key_it_was_sealed_under_once_it_was_used(
    me: SignedIn, rows: Rows, new_app: NewApp
) -> None:
    old = "ng5Tq0vXhLw2Zp8RbY4uKc7JdF1sMe9A"
    new = "Zr2sT3uV4wX5yA6bC7dE8fH9iJ0kL1mN"
    phone = set_up(me, rows)
    with new_app(SECRET_KEY=new, SECRET_KEY_FALLBACKS=[old]).app_context():
        assert opens(rows, phone.code())
    rows.set(TotpFactor, {}, last_step=None)
    with new_app(SECRET_KEY=new).app_context():
        assert opens(rows, phone.code())


@on_sqlite
def test_a_secret_that_nobody_can_read_any_more_opens_nothing_and_breaks_nothing(
    me: SignedIn, rows: Rows, new_app: NewApp
) -> None:
    phone = set_up(me, rows)
    with new_app(SECRET_KEY="Zr2sT3uV4wX5yA6bC7dE8fH9iJ0kL1mN").app_context():
        assert not opens(rows, phone.code())


# An alarm


@on_sqlite
@pytest.mark.asvs("6.4.4")
def test_an_alarm_takes_what_was_confirmed_lately_however_long_ago_it_was_begun(
    me: SignedIn, rows: Rows, at: time_machine.Traveller
) -> None:
    set_up(me, rows)
    rows.set(TotpFactor, {}, created_at=clock.now() - timedelta(days=30))
    with transaction() as tx:
        factors.remove_recent_factors(tx, tx.get_one(User, me.user_id))
    assert (rows.count(TotpFactor), rows.user().second_factor_since) == (0, None)


@on_sqlite
@pytest.mark.asvs("6.4.4")
def test_an_alarm_leaves_what_is_older_but_no_codes_that_are_new(me: SignedIn, rows: Rows) -> None:
    """Whoever sits in the account cannot have made codes to come back with."""
    set_up(me, rows)
    codes = recovery_codes.make_codes(seen_again(me.login_session_id), CLIENT)
    rows.set(TotpFactor, {}, confirmed_at=clock.now() - timedelta(days=8))
    with transaction() as tx:
        factors.remove_recent_factors(tx, tx.get_one(User, me.user_id))
    assert rows.user().second_factor_since is not None
    with pytest.raises(FactorRefused):
        sign_in_steps.pass_second_factor(waiting(rows), Answer(Method.RECOVERY, codes[0]), CLIENT)
