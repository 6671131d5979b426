"""What follows when a factor comes or goes: who is asked for one, who is signed out, who is told."""

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, exists, or_, select
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import LastFactorRequired
from webapp.models import Base, LoginSession, Passkey, RecoveryCode, TotpFactor, User
from webapp.policy.login_sessions import EndReason
from webapp.policy.security_events import EventKind
from webapp.services import account_mail, recovery_codes
from webapp.services.client import Client
from webapp.services.login_sessions import end_login_sessions
from webapp.services.runtime import runtime
from webapp.services.security_events import record_event
from webapp.services.sign_in import MULTI_FACTOR, end_steps
from webapp.services.trusted_browsers import distrust_all

RECENT = timedelta(days=7)  # as long as the link that undoes a change of address


def added_factor(
    tx: Session, user: User, login_session: LoginSession, methods: tuple[str, ...], kind: str, client: Client
) -> None:
    """A factor was set up in this session, which has proven it by that. Where it is the first, whoever is signed in
    elsewhere was never asked for it: they are signed out (ASVS 7.4.3).
    """
    login_session.methods = " ".join(dict.fromkeys((*login_session.methods.split(), *methods, MULTI_FACTOR)))
    if user.second_factor_since is None:
        user.second_factor_since = clock.now()
        others = LoginSession.id != login_session.id
        end_login_sessions(tx, user.id, EndReason.FACTOR_CHANGED, others)
        end_steps(tx, user.id)
    record_event(tx, user.id, EventKind.FACTOR_ADDED, client, login_session_id=login_session.id, factor=kind)
    account_mail.tell_of_factor(tx, user, client, change=f"{kind}_added")


def removed_factor(tx: Session, user: User, login_session: LoginSession, kind: str, client: Client) -> None:
    """A factor was taken away in this session. With the last one go the recovery codes."""
    tx.flush()
    if not _has_factor(tx, user):
        if runtime().settings.MFA_REQUIRED:
            raise LastFactorRequired
        user.second_factor_since = None
        recovery_codes.drop_codes(tx, user.id)
    distrust_all(tx, user.id)
    end_steps(tx, user.id)
    others = LoginSession.id != login_session.id
    end_login_sessions(tx, user.id, EndReason.FACTOR_CHANGED, others)
    record_event(tx, user.id, EventKind.FACTOR_REMOVED, client, login_session_id=login_session.id, factor=kind)
    account_mail.tell_of_factor(tx, user, client, change=f"{kind}_removed")


def remove_recent_factors(tx: Session, user: User) -> None:
    """Take away what was set up lately, after an alarm: whoever was in the account may have set up their own, or have
    made codes to come back with. What is older stays, or an alarm would be the way round it.
    """
    since = clock.now() - RECENT
    _delete(tx, Passkey, Passkey.user_id == user.id, Passkey.created_at > since)
    is_recent = or_(TotpFactor.confirmed_at.is_(None), TotpFactor.confirmed_at > since)
    _delete(tx, TotpFactor, TotpFactor.user_id == user.id, is_recent)
    _delete(tx, RecoveryCode, RecoveryCode.user_id == user.id, RecoveryCode.created_at > since)
    distrust_all(tx, user.id)
    if user.second_factor_since is not None and not _has_factor(tx, user):
        user.second_factor_since = None
        recovery_codes.drop_codes(tx, user.id)


def reset_factors(tx: Session, user: User, client: Client) -> None:
    """Take every factor away: an operator has made sure by other means that its owner has lost them."""
    _delete(tx, Passkey, Passkey.user_id == user.id)
    _delete(tx, TotpFactor, TotpFactor.user_id == user.id)
    recovery_codes.drop_codes(tx, user.id)
    distrust_all(tx, user.id)
    user.second_factor_since = None
    end_login_sessions(tx, user.id, EndReason.FACTOR_CHANGED)
    end_steps(tx, user.id)
    record_event(tx, user.id, EventKind.FACTORS_RESET, client)
    account_mail.tell_of_factor(tx, user, client, change="factors_reset")


def _delete(tx: Session, table: type[Base], *which: ColumnElement[bool]) -> None:
    tx.execute(delete(table).where(*which), execution_options={"synchronize_session": False})


def _has_factor(tx: Session, user: User) -> bool:
    totp = exists().where(TotpFactor.user_id == user.id, TotpFactor.confirmed_at.is_not(None))
    passkey = exists().where(Passkey.user_id == user.id)
    return bool(tx.scalar(select(totp | passkey)))
