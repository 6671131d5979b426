"""What stands between a proof and a login session, and how it is passed. A login-in-progress carries no rights: its
handle resumes one sign-in, of the kind it began as, for ten minutes.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import SignInStepExpired
from webapp.models import SignInInProgress, User
from webapp.policy.security_events import EventKind
from webapp.policy.sign_in import Step as Step
from webapp.services import passkey_proofs, second_factor
from webapp.services.client import Client
from webapp.services.guessing import count_factor_guess, forget_factor_guesses
from webapp.services.one_time import digest
from webapp.services.security_events import record_event
from webapp.services.sign_in import MULTI_FACTOR, Pending, Proof, Started, Wanted, go_on, proven_user
from webapp.services.transaction import transaction
from webapp.services.trusted_browsers import trust_browser


@dataclass(frozen=True)
class WaitingStep:
    """What a login-in-progress waits for, and what its page has to say."""

    step: Step
    deletion_due_at: datetime | None
    methods: tuple[str, ...]  # of the second factor, that the account has


@dataclass(frozen=True)
class Passed:
    """A step was passed: what comes next, and the secret of a browser that is trusted from now on."""

    outcome: Started | Pending
    trust: str | None = None


def find_step(handle: str | None) -> WaitingStep | None:
    """The login-in-progress on the web behind a handle, while it may be resumed."""
    with transaction() as tx:
        waiting = tx.scalar(_open(handle, "web"))
        if waiting is None:
            return None
        user = tx.get_one(User, waiting.user_id)
        methods = second_factor.methods_of(tx, user.id) if waiting.step == Step.SECOND_FACTOR else ()
        return WaitingStep(Step(waiting.step), deletion_due_at=user.deletion_due_at, methods=methods)


def factor_options(handle: str | None, *, kind: str = "web") -> dict[str, Any]:
    """What a browser needs to show a passkey as the second factor of a login-in-progress. Raises SignInStepExpired."""
    with transaction() as tx:
        waiting = tx.scalar(_open(handle, kind))
        if waiting is None or waiting.step != Step.SECOND_FACTOR:
            raise SignInStepExpired
        user_id = waiting.user_id
    return passkey_proofs.factor_options(user_id)


def keep_account(handle: str | None, client: Client, *, kind: str = "web") -> Started | Pending:
    """Take back the deletion of the account that a login-in-progress waits before, and finish the sign-in by the door
    of that `kind` it began at; or, where the browser is trusted no more, go back to the step before.

    Raises SignInStepExpired, or what `start_sign_in` raises.
    """
    with transaction() as tx:
        user, step = _resumed(tx, handle, kind, Step.KEEP_ACCOUNT)
        due, user.deletion_due_at = user.deletion_due_at, None
        outcome = _on(tx, user, step, (), client)
        if isinstance(outcome, Pending):
            user.deletion_due_at = due
        else:
            record_event(tx, user.id, EventKind.DELETION_CANCELLED, client)
        return outcome


def pass_second_factor(
    handle: str | None, answer: second_factor.Answer, client: Client, *, kind: str = "web", trust: bool = False
) -> Passed:
    """Prove the second factor that a login-in-progress waits for. `trust`: do not ask in this browser for a while.

    Raises SignInStepExpired, FactorRefused or TooManyAttempts.
    """
    with transaction() as tx:
        waiting = tx.scalar(_open(handle, kind))
        if waiting is None or waiting.step != Step.SECOND_FACTOR:
            raise SignInStepExpired
        user_id = waiting.user_id
    count_factor_guess(user_id, client)
    with transaction() as tx:
        user, step = _resumed(tx, handle, kind, Step.SECOND_FACTOR)
        proven = second_factor.prove(tx, user, answer, client)
        outcome = _on(tx, user, step, proven, client)
        secret = trust_browser(tx, user.id, client) if trust and kind == "web" else None
    forget_factor_guesses(user_id, client)
    return Passed(outcome, secret)


def _resumed(tx: Session, handle: str | None, kind: str, step: Step) -> tuple[User, SignInInProgress]:
    """The user and the login-in-progress, which is over by that; both rows locked, the user's first."""
    found = tx.scalar(_open(handle, kind))
    if found is None or found.step != step:
        raise SignInStepExpired
    user = proven_user(tx, Proof(found.user_id, tuple(found.methods.split()), found.proven_at))
    waiting = tx.scalar(_open(handle, kind).with_for_update())
    if waiting is None:  # somebody was quicker while we waited for the user's row
        raise SignInStepExpired
    tx.delete(waiting)
    return user, waiting


def _on(tx: Session, user: User, step: SignInInProgress, proven: tuple[str, ...], client: Client) -> Started | Pending:
    """What comes next. Raises SignInStepExpired where the account was closed in the meantime."""
    methods = (*step.methods.split(), *proven, *((MULTI_FACTOR,) if proven else ()))
    proof = Proof(user.id, tuple(dict.fromkeys(methods)), step.proven_at, failures=step.failures or 0)
    wanted = Wanted(step.kind, persistent=step.persistent, refresh_transport=step.refresh_transport)
    _, outcome = go_on(tx, user, proof, replace(client, device_name=step.device_name), wanted)
    if outcome is None:
        raise SignInStepExpired
    return outcome


def _open(handle: str | None, kind: str) -> Select[SignInInProgress]:
    return select(SignInInProgress).where(
        SignInInProgress.handle_hash == digest(handle or ""),
        SignInInProgress.kind == kind,
        SignInInProgress.expires_at > clock.now(),
    )
