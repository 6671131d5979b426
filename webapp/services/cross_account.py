"""A provider's news that somebody's account there is in danger, and what it means for theirs here. Each event counts
once; one that could not be written down is told again by the provider (RFC 8935, section 2).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import Busy, EventRefused, NotFound, ProviderAnswerRefused, ProviderUnavailable
from webapp.models import Identity, User
from webapp.policy.cross_account import OLDEST, Reaction, judge_event
from webapp.policy.login_sessions import EndReason
from webapp.policy.one_time import Purpose
from webapp.policy.security_events import EventKind
from webapp.policy.throttling import Limit, network_of
from webapp.services import account_mail, provider_grants
from webapp.services.client import OPERATOR, Client
from webapp.services.identities import begun_by, label_of
from webapp.services.login_sessions import end_login_sessions
from webapp.services.one_time import end_tokens
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security, record_event
from webapp.services.sign_in import end_steps
from webapp.services.spent_values import spend
from webapp.services.transaction import transaction


def receive_events(raw: str, client: Client) -> None:
    """Act on a security event token. Raises NotFound where the site is not set up for any, EventRefused, Busy where the
    provider's keys cannot be had and it has to be told again, or TooManyAttempts.
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
    except ProviderUnavailable as error:  # for a machine, which comes again: no page about a provider
        log_security("provider_event_postponed", reason=str(error.details.get("reason")))
        raise Busy from None
    if clock.now().timestamp() - claims["iat"] > OLDEST.total_seconds():
        raise EventRefused(err="invalid_request")
    try:
        with transaction() as tx:
            _spend(tx, claims)
            for event_type, event in claims["events"].items():
                _act(tx, claims["iss"], event_type, event if isinstance(event, dict) else {})
    except _Repeated:
        log_security("provider_event_repeated")  # it was acted on; saying so again is all it takes


_SUBJECT_TYPES = frozenset({"iss-sub", "iss_sub", "id_token_claims", "id-token-claims"})  # the drafts spell them so
# RFC 8935, section 2.4.
_ERRORS: Mapping[str, str] = {"iss": "invalid_issuer", "aud": "invalid_audience", "signature": "invalid_key"}


class _Repeated(Exception):
    """The event token was acted on before."""


def _spend(tx: Session, claims: Mapping[str, Any]) -> None:
    """Spend the id of an event token in the transaction that acts on it: one that fails is told again, and then counts.
    Of many at once one goes on, and the others wait here for what becomes of it. Raises _Repeated.
    """
    try:
        spend(tx, "event", f"{claims['iss']}:{claims['jti']}", OLDEST + OLDEST)
    except IntegrityError:
        raise _Repeated from None


def _act(tx: Session, issuer: str, event_type: str, event: Mapping[str, Any]) -> None:
    reason = event.get("reason")
    reactions = judge_event(event_type, reason if isinstance(reason, str) else None)
    log_security("provider_event", reason=event_type.rpartition("/")[2] if reactions else "unknown")
    found = _find(tx, issuer, event.get("subject"))
    if found is None:
        return
    user, identity = found
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
        # Whoever read the mailbox there may hold a link from it, and whoever sat here may have asked for one elsewhere.
        end_tokens(tx, user.id, Purpose.RESET_PASSWORD, Purpose.CHANGE_EMAIL)
    elif Reaction.END_OWN_SESSIONS in reactions:
        mine = begun_by(identity.provider)
        ended = end_login_sessions(tx, user.id, EndReason.PROVIDER_ALERT, mine)
    if reactions & {Reaction.END_SESSIONS, Reaction.END_OWN_SESSIONS}:
        end_steps(tx, user.id)
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


def _find(tx: Session, issuer: str, subject: object) -> tuple[User, Identity] | None:
    """Whom an event is about, locked, the user first as everybody locks them: by issuer and subject, never by address,
    and only where the issuer speaks of somebody of its own.
    """
    if not isinstance(subject, dict) or subject.get("subject_type", subject.get("format")) not in _SUBJECT_TYPES:
        return None
    told, sub = subject.get("iss"), subject.get("sub")
    if not isinstance(told, str) or not isinstance(sub, str) or told.rstrip("/") != issuer.rstrip("/"):
        return None
    # Google writes its issuer with a slash here and without one in ID tokens.
    same = (Identity.issuer.in_((told.rstrip("/"), told.rstrip("/") + "/")), Identity.subject == sub)
    owner = tx.scalar(select(Identity.user_id).where(*same))
    user = None if owner is None else tx.get(User, owner, with_for_update=True)
    identity = tx.scalar(select(Identity).where(*same).with_for_update())
    return None if user is None or identity is None else (user, identity)
