"""Somebody who is signed in, for tests of services."""

from tests.rows import Rows
from webapp import clock
from webapp.services import sign_in
from webapp.services.client import Client
from webapp.services.login_sessions import SignedIn, resume_login_session
from webapp.services.sign_in import PASSWORD, Proof, Started

CLIENT = Client(ip="192.0.2.1", user_agent="test")


def proof_of(rows: Rows, *methods: str, email: str = "alice@example.com") -> Proof:
    """That an account's owner has shown who they are, just now."""
    user = rows.user(email)
    return Proof(user.id, methods or (PASSWORD,), clock.now(), password_changed_at=user.password_changed_at)


def signed_in(rows: Rows, *methods: str, email: str = "alice@example.com", kind: str = "web") -> SignedIn:
    """A new login session of theirs."""
    started = sign_in.start_sign_in(proof_of(rows, *methods, email=email), CLIENT, kind=kind)
    assert isinstance(started, Started)
    return seen_again(started.login_session_id)


def seen_again(login_session_id: object) -> SignedIn:
    """The same session at its next request."""
    found = resume_login_session(login_session_id, CLIENT.ip)  # type: ignore[arg-type]
    assert isinstance(found, SignedIn)
    return found
