"""Clean-up in small bounded slices: by the background worker and by command, never on a user's request."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import and_, or_

from webapp import clock
from webapp.metrics import REMOVED
from webapp.models import (
    AuthorizationRequest,
    KnownDevice,
    LoginSession,
    OneTimeToken,
    SecurityEvent,
    SignInInProgress,
    SpentValue,
    TrustedBrowser,
)
from webapp.policy import security_events
from webapp.policy.login_sessions import EndReason
from webapp.services import outbox, signing_keys
from webapp.services.account_deletion import delete_due_accounts, drop_unconfirmed_accounts
from webapp.services.runtime import runtime
from webapp.services.slices import delete_slice

SLICE = 500  # rows a transaction, so that no lock is held for long
# After the absolute limit, and so longer than any browser keeps the cookie: whenever it comes by again, it is told why.
OVER_SESSIONS_KEPT_FOR = timedelta(days=2)
# An app that was signed out hears why for a week; one that signed itself out asks no more. Both stay longer than the
# news of their ending has to go round (services.revocation).
ENDED_APPS_KEPT_FOR = timedelta(days=7)
SIGNED_OUT_APPS_KEPT_FOR = timedelta(days=1)
LINKS_KEPT_FOR = timedelta(days=7)  # long enough to say of an old link why it opens nothing
DEVICES_KEPT_FOR = timedelta(days=400)  # as long as a browser keeps their cookie (RFC 6265bis, section 5.5)


def purge(*, slices: int = 20) -> dict[str, int]:
    """Remove what is over, at most `slices` slices of each; how many rows of each went. Announces the next signing key
    when that is due. Safe at any time, by any number of workers at once.
    """
    jobs: dict[str, Callable[[int], int]] = {
        "cookie_sessions": runtime().cookie_sessions.purge,
        "login_sessions": _purge_login_sessions,
        "ended_apps": _purge_ended_apps,
        "sign_ins_in_progress": _purge_steps,
        "one_time_tokens": _purge_tokens,
        "trusted_browsers": _purge_trust,
        "authorization_requests": _purge_requests,
        "spent_values": _purge_spent,
        "known_devices": _purge_devices,
        "security_events": _purge_events,
        "rate_limits": runtime().throttle.purge,
        "outbox_messages": outbox.purge,
        "signing_keys": signing_keys.purge_keys,
        "unconfirmed_accounts": drop_unconfirmed_accounts,
        "deleted_accounts": delete_due_accounts,
    }
    gone = {name: _in_slices(job, slices) for name, job in jobs.items()}
    for name, rows in gone.items():
        REMOVED.labels(name).inc(rows)
    signing_keys.rotate_if_due()
    return gone


def _in_slices(job: Callable[[int], int], slices: int) -> int:
    total = 0
    for _ in range(slices):
        gone = job(SLICE)
        total += gone
        if gone < SLICE:
            break
    return total


def _purge_login_sessions(limit: int) -> int:
    return delete_slice(LoginSession.id, LoginSession.expires_at < clock.now() - OVER_SESSIONS_KEPT_FOR, limit)


def _purge_ended_apps(limit: int) -> int:
    now, wait = clock.now(), runtime().settings.JWT_ACCESS
    by_itself = LoginSession.end_reason.in_((EndReason.SIGNED_OUT, EndReason.REPLACED))
    gone = LoginSession.ended_at < now - wait - ENDED_APPS_KEPT_FOR
    soon_gone = and_(by_itself, LoginSession.ended_at < now - wait - SIGNED_OUT_APPS_KEPT_FOR)
    return delete_slice(LoginSession.id, and_(LoginSession.kind == "api", or_(gone, soon_gone)), limit)


def _purge_steps(limit: int) -> int:
    return delete_slice(SignInInProgress.id, SignInInProgress.expires_at < clock.now(), limit)


def _purge_tokens(limit: int) -> int:
    return delete_slice(OneTimeToken.id, OneTimeToken.expires_at < clock.now() - LINKS_KEPT_FOR, limit)


def _purge_requests(limit: int) -> int:
    return delete_slice(AuthorizationRequest.state_hash, AuthorizationRequest.expires_at < clock.now(), limit)


def _purge_trust(limit: int) -> int:
    return delete_slice(TrustedBrowser.id, TrustedBrowser.expires_at < clock.now(), limit)


def _purge_spent(limit: int) -> int:
    return delete_slice(SpentValue.value_hash, SpentValue.expires_at < clock.now(), limit)


def _purge_devices(limit: int) -> int:
    return delete_slice(KnownDevice.device_hash, KnownDevice.last_seen_at < clock.now() - DEVICES_KEPT_FOR, limit)


def _purge_events(limit: int) -> int:
    return delete_slice(SecurityEvent.id, SecurityEvent.at < clock.now() - security_events.KEEP_FOR, limit)
