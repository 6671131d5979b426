"""Proving again who one is, with the factors that the account has, before a change to who can get in (ASVS 7.5.1).

One factor of two is no full proof: where the account has a second, whoever shows the first is asked for that, too.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import FactorRefused, PasskeyRefused, ReauthenticationRequired
from webapp.policy.login_sessions import is_fresh
from webapp.policy.security_events import EventKind
from webapp.services import passkey_proofs, second_factor
from webapp.services.client import Client
from webapp.services.guessing import count_factor_guess, forget_factor_guesses
from webapp.services.login_sessions import MULTI_FACTOR, SignedIn, lock_live
from webapp.services.passwords import prove_own_password
from webapp.services.second_factor import Answer, Method
from webapp.services.security_events import record_event
from webapp.services.sign_in import PASSWORD
from webapp.services.transaction import transaction


def factor_methods(signed_in: SignedIn) -> tuple[str, ...]:
    """By which methods the second factor can be shown; none where there is none."""
    with transaction() as tx:
        return second_factor.methods_of(tx, signed_in.user_id)


def ways_of(signed_in: SignedIn) -> tuple[str, ...]:
    """By what an app can prove again who its person is: the password, beside it one of the codes where there are any,
    or a passkey alone. None where only signing in anew helps.
    """
    methods = factor_methods(signed_in)
    codes = tuple(method for method in methods if method != Method.PASSKEY)
    has_password = signed_in.password_changed_at is not None
    by_password = ("password", *codes) if has_password and (codes or not signed_in.has_factor) else ()
    return (*by_password, *(("passkey",) if Method.PASSKEY in methods else ()))


def prove_password_again(signed_in: SignedIn, password: str, client: Client) -> bool:
    """Prove the password again; whether that is a full proof, or the second factor has to follow.

    Raises InvalidCredentials, TooManyAttempts or NotSignedIn.
    """
    prove_own_password(signed_in, password, client)
    if signed_in.has_factor:
        return False
    with transaction() as tx:
        renew_proof(tx, signed_in, (PASSWORD,), clock.now(), client)
    return True


def prove_factor_again(signed_in: SignedIn, answer: Answer, first_proof_at: datetime | None, client: Client) -> None:
    """Prove the second factor again, after the first one was at `first_proof_at`.

    Raises ReauthenticationRequired where that was too long ago or never, FactorRefused, TooManyAttempts or NotSignedIn.
    """
    if first_proof_at is None or not is_fresh(first_proof_at, clock.now()):
        raise ReauthenticationRequired
    count_factor_guess(signed_in.user_id, client)
    with transaction() as tx:
        user, _ = lock_live(tx, signed_in)
        methods = second_factor.prove(tx, user, answer, client)
        renew_proof(tx, signed_in, (*methods, MULTI_FACTOR), first_proof_at, client)
    forget_factor_guesses(signed_in.user_id, client)


def prove_passkey_again(
    signed_in: SignedIn, credential: Mapping[str, Any], client: Client, *, browser: str | None = None
) -> None:
    """Prove by a passkey, unlocked by its owner: that is both factors. `browser` is the secret that the options were
    asked with. Raises PasskeyRefused, TooManyAttempts or NotSignedIn.
    """
    proof = passkey_proofs.prove_sign_in(credential, client, browser=browser)
    if proof.user_id != signed_in.user_id:
        raise PasskeyRefused
    with transaction() as tx:
        renew_proof(tx, signed_in, proof.methods, proof.at, client)


def prove_again(signed_in: SignedIn, password: str, answer: Answer | None, client: Client) -> None:
    """Password and, where the account has one, second factor in one go, for apps. Raises as the two above."""
    if not prove_password_again(signed_in, password, client):
        if answer is None:
            raise FactorRefused
        prove_factor_again(signed_in, answer, clock.now(), client)


def renew_proof(tx: Session, signed_in: SignedIn, methods: tuple[str, ...], at: datetime, client: Client) -> None:
    """Note in `tx` that who is signed in has proven again in full who they are."""
    user, login_session = lock_live(tx, signed_in)
    login_session.auth_time = at
    login_session.methods = " ".join(dict.fromkeys((*login_session.methods.split(), *methods)))
    record_event(tx, user.id, EventKind.REAUTHENTICATED, client, login_session_id=signed_in.login_session_id)
