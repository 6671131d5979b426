"""Signing in by mail, where the site offers it: a link that a scanner cannot spend, or a code to type; each once, for
ten minutes, in the browser that asked. A mailbox is one factor, whatever else was proven (NIST SP 800-63B-4, 3.1.3).
"""

import hmac
import secrets
import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import FactorRefused, LinkInvalid, NotFound, SignInStepExpired
from webapp.models import OneTimeToken, User
from webapp.policy.one_time import Purpose
from webapp.policy.security_events import EventKind
from webapp.policy.throttling import Limit, network_of
from webapp.services import account_mail, outbox
from webapp.services.addresses import address_key
from webapp.services.client import Client
from webapp.services.one_time import counting_misses, digest, end_tokens, get_token, issue_token, spend_token
from webapp.services.runtime import runtime
from webapp.services.security_events import record_event
from webapp.services.sign_in import MAILED_LINK, Proof
from webapp.services.transaction import transaction

CODE_DIGITS = 8
SECRET_BYTES = 32


def check_offered() -> None:
    """Raises NotFound where the site does not offer it."""
    if not runtime().settings.MAILED_SIGN_IN:
        raise NotFound


def send_sign_in_mail(email: str, client: Client) -> str:
    """Mail a link and a code, where there is such an account; the same work and the same answer where there is none
    (ASVS 6.3.8). Gives the secret that this browser is to keep: without it, neither works.

    Raises NotFound where the site does not offer it, or TooManyAttempts.
    """
    check_offered()
    runtime().throttle.hit(Limit.FORGOT_NETWORK, network_of(client.ip))
    key = address_key(email)
    may_mail = account_mail.may_mail(key, client)
    browser = secrets.token_urlsafe(SECRET_BYTES)
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    with transaction() as tx:
        user = tx.scalar(select(User).where(User.email_key == key).with_for_update())
        if user is None or not may_mail or user.disabled_at is not None or user.email_verified_at is None:
            outbox.enqueue_nothing(tx)
        else:
            token = issue_token(tx, user.id, Purpose.SIGN_IN, data={"browser": digest(browser)})
            issue_token(tx, user.id, Purpose.SIGN_IN_CODE, raw=_typed(browser, code))
            record_event(tx, user.id, EventKind.SIGN_IN_MAILED, client)
            account_mail.send_sign_in(tx, user, token, code, client)
    return browser


def is_for_here(raw: str, browser: str | None, client: Client) -> bool:
    """Whether a mailed link works in this browser; spends nothing. Raises NotFound, LinkInvalid and its kin, or
    TooManyAttempts.
    """
    check_offered()
    with counting_misses(client), transaction() as tx:
        return _is_from(get_token(tx, raw, Purpose.SIGN_IN), browser)


def prove_by_link(raw: str, browser: str | None, client: Client) -> Proof:
    """Whom a mailed link signs in. Raises NotFound, LinkInvalid and its kin, or TooManyAttempts."""
    check_offered()
    runtime().throttle.hit(Limit.LINK_NETWORK, network_of(client.ip))
    with transaction() as tx:
        if not _is_from(get_token(tx, raw, Purpose.SIGN_IN), browser):
            raise LinkInvalid
        spent = spend_token(tx, raw, Purpose.SIGN_IN)
        end_tokens(tx, spent.user_id, Purpose.SIGN_IN_CODE)
        return _proof(tx, spent.user_id)


def prove_by_code(code: str, browser: str | None, client: Client) -> Proof:
    """Whom a typed code signs in. Few may be tried. Raises NotFound, SignInStepExpired, FactorRefused or
    TooManyAttempts.
    """
    check_offered()
    if browser is None:
        raise SignInStepExpired
    runtime().throttle.hit(Limit.LINK_NETWORK, network_of(client.ip))  # first: a made-up browser leaves no counter
    runtime().throttle.hit(Limit.MAILED_CODE, digest(browser))
    try:
        with transaction() as tx:
            spent = spend_token(tx, _typed(browser, code), Purpose.SIGN_IN_CODE)
            end_tokens(tx, spent.user_id, Purpose.SIGN_IN)
            return _proof(tx, spent.user_id)
    except LinkInvalid:
        raise FactorRefused from None


def _proof(tx: Session, user_id: uuid.UUID) -> Proof:
    user = tx.get_one(User, user_id)
    return Proof(user.id, (MAILED_LINK,), clock.now(), email_key=user.email_key)


def _typed(browser: str, code: str) -> str:
    """A code is worth something only together with the secret of the browser that asked for it."""
    return f"{browser}:{''.join(code.split())}"


def _is_from(token: OneTimeToken, browser: str | None) -> bool:
    return browser is not None and hmac.compare_digest(token.data["browser"], digest(browser))
