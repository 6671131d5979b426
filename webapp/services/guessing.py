"""Counting guesses at passwords and second factors, the same for every door and every worker.

Strangers share counters that fill up; a browser that signed in to this account before has one of its own. So nobody
can lock the owner out of a browser they use, whatever they send (OWASP, "slow down online guessing with device
cookies"; ASVS 6.1.1, 6.3.1).
"""

import uuid

from webapp.errors import TooManyAttempts
from webapp.models import User
from webapp.policy.security_events import EventKind
from webapp.policy.throttling import Bucket, Limit, OnSuccess, factor_buckets, login_buckets, network_of
from webapp.services import account_mail
from webapp.services.client import Client
from webapp.services.known_devices import is_known_device
from webapp.services.one_time import digest
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security, record_event
from webapp.services.transaction import transaction


def count_guess(email_key: str, user_id: uuid.UUID | None, client: Client, *, known_device: bool) -> None:
    """Count an attempt before it is judged, so that parallel ones cannot slip by. Raises TooManyAttempts."""
    throttle = runtime().throttle
    try:
        for bucket in _buckets(email_key, client, known_device=known_device):
            throttle.hit(bucket.limit, *bucket.key)
    except TooManyAttempts:
        tell_of_guessing(email_key, user_id, client)
        raise


def tell_of_guessing(email_key: str, user_id: uuid.UUID | None, client: Client) -> None:
    """Have the owner of an account read, once a day, that further tries had to wait."""
    log_security("guessing_slowed", user_id=user_id)
    # Once a day is enough to know of it; strangers must not be able to fill the owner's log.
    if runtime().throttle.allows(Limit.GUESSING_NOTICE, email_key) and user_id is not None:
        with transaction() as tx:
            record_event(tx, user_id, EventKind.GUESSING_SLOWED, client)


def forget_guesses(email_key: str, client: Client, *, known_device: bool) -> int:
    """After a success: what was counted for the right person is forgotten, as far as each limit allows. How many wrong
    guesses went before, from this browser or network, since the last success there.
    """
    throttle, failures = runtime().throttle, 0
    for bucket in _buckets(email_key, client, known_device=known_device):
        if bucket.limit.on_success is OnSuccess.START_AGAIN:
            failures = max(failures, throttle.counted(bucket.limit, *bucket.key) - 1)
        throttle.forgive(bucket.limit, *bucket.key)
    return failures


def count_factor_guess(user_id: uuid.UUID, client: Client) -> None:
    """Count an attempt at a second factor before it is judged. Raises TooManyAttempts; the owner is told by mail then,
    once a day: somebody has shown the first factor (ASVS 6.3.5).
    """
    throttle = runtime().throttle
    try:
        for bucket in _factor_buckets(user_id, client):
            throttle.hit(bucket.limit, *bucket.key)
    except TooManyAttempts:
        log_security("second_factor_slowed", user_id=user_id)
        if throttle.allows(Limit.GUESSING_NOTICE, "second factor", str(user_id)):
            with transaction() as tx:
                user = tx.get_one(User, user_id)
                record_event(tx, user.id, EventKind.SECOND_FACTOR_SLOWED, client)
                account_mail.tell_of_factor(tx, user, client, change="guessed")
        raise


def forget_factor_guesses(user_id: uuid.UUID, client: Client) -> None:
    """The attempt was right."""
    for bucket in _factor_buckets(user_id, client):
        runtime().throttle.forgive(bucket.limit, *bucket.key)


def _buckets(email_key: str, client: Client, *, known_device: bool) -> tuple[Bucket, ...]:
    return login_buckets(
        account=email_key,
        network=network_of(client.ip),
        known_device=digest(client.device) if known_device and client.device else None,
    )


def _factor_buckets(user_id: uuid.UUID, client: Client) -> tuple[Bucket, ...]:
    with transaction() as tx:
        known = is_known_device(tx, user_id, client.device)
    return factor_buckets(
        user=str(user_id),
        network=network_of(client.ip),
        known_device=digest(client.device) if known and client.device else None,
    )
