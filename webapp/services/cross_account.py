"""A provider's news that somebody's account there is in danger, and what it means for theirs here. Each event counts
once; one that could not be written down is told again by the provider (RFC 8935, section 2).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import EventRefused, NotFound, ProviderAnswerRefused
from webapp.models import Identity, LoginSession, SpentValue, User
from webapp.policy.cross_account import OLDEST, Reaction, judge_event
from webapp.policy.login_sessions import EndReason
from webapp.policy.security_events import EventKind
from webapp.policy.throttling import Limit, network_of
from webapp.services import account_mail, provider_grants
from webapp.services.client import OPERATOR, Client
from webapp.services.identities import label_of
from webapp.services.login_sessions import end_login_sessions
from webapp.services.one_time import digest
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security, record_event
from webapp.services.transaction import transaction


def receive_events(raw: str, client: Client) -> None:
    """Act on a security event token. Raises NotFound where the site is not set up for any, EventRefused,
    ProviderUnavailable where the keys cannot be had, or TooManyAttempts.
    """
    issuer = runtime().event_issuer
    if issuer is None:
        raise NotFound
    try:
        claims = issuer.verify(raw)
    except ProviderAnswerRefused as error:
        runtime().throttle.hit(Limit.EVENT_NETWORK, network_of(client.ip))
        reason = str(error.details.get("reason"))
        log_security("provider_event_refused", reason=reason)
        raise EventRefused(err=_ERRORS.get(reason, "invalid_request")) from None
    if clock.now().timestamp() - claims["iat"] > OLDEST.total_seconds():
        raise EventRefused(err="invalid_request")
    try:
        with transaction() as tx:
            spent = f"event:{claims['iss']}:{claims['jti']}"
            tx.add(SpentValue(value_hash=digest(spent), expires_at=clock.now() + OLDEST + OLDEST))
            tx.flush()
            for event_type, event in claims["events"].items():
                _act(tx, event_type, event if isinstance(event, dict) else {})
    except IntegrityError:
        log_security("provider_event_repeated")  # it was acted on; saying so again is all it takes


# RFC 8935, section 2.4.
_ERRORS: Mapping[str, str] = {"iss": "invalid_issuer", "aud": "invalid_audience", "signature": "invalid_key"}


def _act(tx: Session, event_type: str, event: Mapping[str, Any]) -> None:
    reason = event.get("reason")
    reactions = judge_event(event_type, reason if isinstance(reason, str) else None)
    log_security("provider_event", reason=event_type.rpartition("/")[2][:64] if reactions else "unknown")
    identity = _identity_of(tx, event.get("subject"))
    if identity is None:
        return
    user = tx.get_one(User, identity.user_id, with_for_update=True)
    for kind in _done(tx, user, identity, reactions):
        record_event(tx, user.id, kind, OPERATOR, provider=label_of(identity.provider))
        if kind is not EventKind.PROVIDER_UNBLOCKED:
            account_mail.tell_of_provider_alert(tx, user, OPERATOR, alert=kind, provider=label_of(identity.provider))


def _done(tx: Session, user: User, identity: Identity, reactions: frozenset[Reaction]) -> Iterator[EventKind]:
    """Do it; the kinds of what the user is to read of."""
    if Reaction.DROP_GRANT in reactions:
        provider_grants.drop_grant(tx, identity)
    ended = 0
    if Reaction.END_SESSIONS in reactions:
        ended = end_login_sessions(tx, user.id, EndReason.PROVIDER_ALERT)
    elif Reaction.END_OWN_SESSIONS in reactions:
        mine = LoginSession.methods == identity.provider
        ended = end_login_sessions(tx, user.id, EndReason.PROVIDER_ALERT, mine)
    if Reaction.BLOCK in reactions and identity.blocked_at is None:
        identity.blocked_at = clock.now()
        yield EventKind.PROVIDER_BLOCKED
    elif ended:
        yield EventKind.PROVIDER_ENDED_SESSIONS
    if Reaction.UNBLOCK in reactions and identity.blocked_at is not None:
        identity.blocked_at = None
        yield EventKind.PROVIDER_UNBLOCKED
    if Reaction.WARN in reactions:
        user.warning = EventKind.PROVIDER_WARNED
        yield EventKind.PROVIDER_WARNED


def _identity_of(tx: Session, subject: object) -> Identity | None:
    """Whom an event is about: by issuer and subject, never by address."""
    if not isinstance(subject, dict) or subject.get("subject_type", subject.get("format")) not in (
        "iss-sub",
        "iss_sub",
    ):
        return None
    issuer, sub = subject.get("iss"), subject.get("sub")
    if not isinstance(issuer, str) or not isinstance(sub, str):
        return None
    spelled = {issuer, issuer.rstrip("/"), issuer.rstrip("/") + "/"}
    return tx.scalar(select(Identity).where(Identity.issuer.in_(spelled), Identity.subject == sub))
