"""Leaving: asked for, waited for, done."""

from datetime import datetime, timedelta

from sqlalchemy import exists, or_, select

from webapp import clock
from webapp.models import LoginSession, OneTimeToken, SecurityEvent, User
from webapp.policy.login_sessions import EndReason
from webapp.policy.one_time import Purpose
from webapp.policy.security_events import EventKind
from webapp.services import account_mail
from webapp.services.client import Client
from webapp.services.identities import forget_identities
from webapp.services.login_sessions import SignedIn, end_login_sessions, lock_live, require_fresh
from webapp.services.one_time import end_tokens
from webapp.services.passwords import prove_own_password
from webapp.services.security_events import log_security, record_event
from webapp.services.sign_in import end_steps
from webapp.services.slices import delete_slice
from webapp.services.transaction import transaction

WAITING_TIME = timedelta(days=7)  # in which signing in offers to keep the account
UNCONFIRMED_FOR = timedelta(days=7)  # after which an account that nobody confirmed is dropped
_MANY_OF_A_USER = (SecurityEvent, LoginSession)
_SLICES = 20  # of each, in one round


def schedule_deletion(signed_in: SignedIn, client: Client, *, password: str | None = None) -> datetime:
    """End every login session and delete the account after the waiting time; gives when. The password may stand in for
    a fresh sign-in, where it is all that the account asks for.

    Raises NotSignedIn, ReauthenticationRequired, InvalidCredentials or TooManyAttempts.
    """
    if password is None or signed_in.has_factor:
        require_fresh(signed_in)
    if password is not None:
        prove_own_password(signed_in, password, client)
    with transaction() as tx:
        user, _ = lock_live(tx, signed_in)
        due = user.deletion_due_at = clock.now() + WAITING_TIME
        end_login_sessions(tx, user.id, EndReason.DELETION)
        end_steps(tx, user.id)
        end_tokens(tx, user.id, Purpose.CHANGE_EMAIL, Purpose.RESET_PASSWORD)
        record_event(tx, user.id, EventKind.DELETION_SCHEDULED, client, login_session_id=signed_in.login_session_id)
        account_mail.tell_of_deletion(tx, user, client)
        return due


def delete_due_accounts(limit: int) -> int:
    """Delete, a slice at a time, accounts whose waiting time is over; how many. What belongs to a user goes with the
    row (ON DELETE CASCADE), so nothing personal remains once the last mail is out. Of what a user may have very many
    the rows go before, in slices of their own: an account with more of them than that takes several rounds, and one
    that its owner keeps at the very last moment may have lost its log.
    """
    for model in _MANY_OF_A_USER:
        _drop_rows_of_due_accounts(model, limit)
    left = [exists().where(model.user_id == User.id) for model in _MANY_OF_A_USER]
    with transaction() as tx:
        due = select(User).where(User.deletion_due_at <= clock.now(), ~or_(*left))
        users = list(tx.scalars(due.limit(limit).with_for_update(skip_locked=True)))
        for user in users:
            account_mail.tell_deleted(tx, user)
            forget_identities(tx, user.id)  # what we may do at a provider is given back there
            tx.delete(user)
            log_security("account_deleted", user_id=user.id)
    return len(users)


def _drop_rows_of_due_accounts(model: type[SecurityEvent] | type[LoginSession], limit: int) -> None:
    due = select(User.id).where(User.deletion_due_at <= clock.now())
    for _ in range(_SLICES):
        if delete_slice(model.id, model.user_id.in_(due), limit) < limit:
            return


def drop_unconfirmed_accounts(limit: int) -> int:
    """Drop, a slice at a time, accounts whose address nobody confirmed and no mailed link can confirm any more; how
    many.
    """
    now = clock.now()
    open_link = exists().where(
        OneTimeToken.user_id == User.id, OneTimeToken.ended_at.is_(None), OneTimeToken.expires_at > now
    )
    with transaction() as tx:
        stale = (
            select(User)
            .where(
                User.email_verified_at.is_(None),
                User.disabled_at.is_(None),
                User.created_at <= now - UNCONFIRMED_FOR,
                ~open_link,
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        users = list(tx.scalars(stale))
        for user in users:
            tx.delete(user)
    return len(users)
