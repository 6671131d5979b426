"""Recovery codes: ten, shown once, each used once."""

import secrets
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from tests.factors import Phone
from tests.journeys.crowds import all_at_once
from tests.people import Mailbox, text_of
from tests.rows import Rows, on_sqlite
from tests.services.signed_in import CLIENT, proof_of, seen_again, signed_in
from webapp.errors import FactorRefused, SignInStepExpired
from webapp.models import RecoveryCode
from webapp.services import recovery_codes, sign_in, sign_in_steps, totp
from webapp.services.login_sessions import SignedIn
from webapp.services.second_factor import Answer, Method
from webapp.services.sign_in import Pending, Started
from webapp.services.transaction import transaction


@pytest.fixture(autouse=True)
def in_the_app(app: Flask, alice: str) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def me(rows: Rows) -> SignedIn:
    """Somebody who has an app, and has shown it."""
    me = signed_in(rows)
    totp.confirm_totp(me, Phone(totp.begin_totp(me).secret).code(), CLIENT)
    return seen_again(me.login_session_id)


def waiting(rows: Rows) -> str:
    outcome = sign_in.start_sign_in(proof_of(rows), CLIENT, kind="web")
    assert isinstance(outcome, Pending)
    return outcome.handle


def opens(rows: Rows, code: str) -> bool:
    try:
        shown = Answer(Method.RECOVERY, code)
        return isinstance(sign_in_steps.pass_second_factor(waiting(rows), shown, CLIENT).outcome, Started)
    except FactorRefused:
        return False


def left(me: SignedIn) -> int:
    with transaction() as tx:
        return recovery_codes.count_codes(tx, me.user_id).left


@on_sqlite
@pytest.mark.asvs("6.5.2", "6.5.4")
def test_ten_are_made_and_their_hashes_are_all_that_is_kept(me: SignedIn, rows: Rows) -> None:
    codes = recovery_codes.make_codes(me, CLIENT)
    assert len(set(codes)) == 10
    stored = "".join(value for _, value in rows.texts())
    for code in codes:
        assert code not in stored
        assert code.replace("-", "") not in stored
    assert all(len(row.code_hash) == 64 for row in rows.all(RecoveryCode))


@on_sqlite
@pytest.mark.asvs("6.5.3")
def test_they_are_drawn_from_the_systems_generator(me: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    real: Callable[[str], str] = secrets.choice

    def choice(alphabet: str) -> str:
        drawn.append(real(alphabet))
        return drawn[-1]

    monkeypatch.setattr(secrets, "choice", choice)
    codes = recovery_codes.make_codes(me, CLIENT)
    assert "".join(codes).replace("-", "") == "".join(drawn)


@on_sqlite
@pytest.mark.asvs("6.5.1")
def test_each_opens_once(me: SignedIn, rows: Rows) -> None:
    first, second, *_ = recovery_codes.make_codes(me, CLIENT)
    assert opens(rows, first)
    assert not opens(rows, first)
    assert opens(rows, second.lower().replace("-", " "))
    assert left(me) == 8


@pytest.mark.asvs("6.5.1", "15.4.2", "2.3.4")
def test_of_many_who_use_one_at_once_one_gets_in(app: Flask, me: SignedIn, rows: Rows) -> None:
    code = recovery_codes.make_codes(me, CLIENT)[0]
    handles = [waiting(rows) for _ in range(8)]

    def attempt(handle: str) -> Callable[[], bool]:
        def go() -> bool:
            with app.app_context():
                try:
                    sign_in_steps.pass_second_factor(handle, Answer(Method.RECOVERY, code), CLIENT)
                except FactorRefused:
                    return False
                return True

        return go

    assert sorted(all_at_once([attempt(handle) for handle in handles])) == [False] * 7 + [True]
    assert left(me) == 9


@pytest.mark.asvs("15.4.2")
def test_one_step_takes_one_code_however_many_are_shown_at_once(app: Flask, me: SignedIn, rows: Rows) -> None:
    codes, handle = recovery_codes.make_codes(me, CLIENT)[:6], waiting(rows)

    def attempt(code: str) -> Callable[[], bool]:
        def go() -> bool:
            with app.app_context():
                try:
                    sign_in_steps.pass_second_factor(handle, Answer(Method.RECOVERY, code), CLIENT)
                except SignInStepExpired:
                    return False
                return True

        return go

    assert sorted(all_at_once([attempt(code) for code in codes])) == [False] * 5 + [True]
    assert left(me) == 9


@on_sqlite
@pytest.mark.asvs("6.5.6")
def test_new_ones_make_the_old_void(me: SignedIn, rows: Rows) -> None:
    old = recovery_codes.make_codes(me, CLIENT)
    new = recovery_codes.make_codes(me, CLIENT)
    assert not opens(rows, old[0])
    assert opens(rows, new[0])
    assert rows.count(RecoveryCode) == 10


@on_sqlite
def test_one_that_is_somebody_elses_opens_nothing(me: SignedIn, rows: Rows, new_user: Callable[..., str]) -> None:
    new_user("bob@example.com", name="Bob")
    bob = signed_in(rows, email="bob@example.com")
    totp.confirm_totp(bob, Phone(totp.begin_totp(bob).secret).code(), CLIENT)
    his = recovery_codes.make_codes(seen_again(bob.login_session_id), CLIENT)
    recovery_codes.make_codes(me, CLIENT)
    assert not opens(rows, his[0])


@on_sqlite
def test_there_are_none_without_a_factor_for_which_they_could_stand_in(rows: Rows) -> None:
    with pytest.raises(FactorRefused):
        recovery_codes.make_codes(signed_in(rows), CLIENT)


@on_sqlite
@pytest.mark.asvs("6.5.6")
def test_with_the_last_factor_they_go(me: SignedIn, rows: Rows) -> None:
    recovery_codes.make_codes(me, CLIENT)
    totp.remove_totp(me, CLIENT)
    assert rows.count(RecoveryCode) == 0


@on_sqlite
@pytest.mark.asvs("6.3.7", "16.3.1")
def test_using_one_and_making_new_ones_is_mailed_and_logged(
    me: SignedIn, rows: Rows, mailbox: Mailbox, alice: str
) -> None:
    codes = recovery_codes.make_codes(me, CLIENT)
    assert "New recovery codes were made" in text_of(mailbox.newest(alice))
    assert opens(rows, codes[0])
    used = [text_of(mail) for mail in mailbox.mails(alice) if "recovery code was used" in text_of(mail)]
    assert len(used) == 1
    assert "Codes that are left: 9." in used[0]
    assert {"recovery_codes_made", "recovery_code_used"} <= set(rows.events())
