"""Making an account and confirming its address."""

from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import Busy
from webapp.ids import new_id
from webapp.models import User
from webapp.policy.names import clean_name
from webapp.policy.one_time import Purpose
from webapp.policy.security_events import EventKind
from webapp.policy.throttling import Limit, network_of
from webapp.services import account_mail, outbox
from webapp.services.addresses import Address, parse_address
from webapp.services.client import Client
from webapp.services.new_password import check_new_password
from webapp.services.one_time import counting_misses, get_token, spend_token
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security, record_event
from webapp.services.sign_in import MAILED_LINK, Proof
from webapp.services.transaction import transaction

ATTEMPTS = 3  # an address is nobody's, then somebody's, then perhaps its owner's by a provider


def register(email: str, password: str, name: str, locale: str, client: Client) -> str:
    """Make an unverified account and mail its link, or tell the owner of a known address by mail; which of the two
    it was, nobody who asks can see: same answer, one hash, one mail row (ASVS 6.3.8). Gives the address as written to.

    Raises EmailInvalid, PasswordRefused, TooManyAttempts or Busy.
    """
    address = parse_address(email)
    name = clean_name(name)
    # Before the password is looked at: judging a long one is work, too.
    runtime().throttle.hit(Limit.REGISTER_NETWORK, network_of(client.ip))
    check_new_password(password, email=address.email, name=name)
    password_hash = runtime().hashing.hash(password)
    may_mail = account_mail.may_mail(address.key, client)
    for _ in range(ATTEMPTS):
        with suppress(IntegrityError):  # others are at it with the same address: the next attempt finds their row
            _register(address, password_hash, name, locale, client, may_mail=may_mail)
            return address.email
    raise Busy


def find_unconfirmed(raw: str, client: Client) -> User:
    """Whose address a link would confirm; spends nothing. Raises LinkInvalid and its kin, or TooManyAttempts."""
    with counting_misses(client), transaction() as tx:
        return _user_of(tx, get_token(tx, raw, Purpose.CONFIRM_EMAIL).user_id)


def confirm_email(raw: str, client: Client) -> Proof:
    """Spend a confirmation link. Who holds it reads the mailbox, so it proves who they are, this once.

    Raises LinkInvalid and its kin, or TooManyAttempts.
    """
    runtime().throttle.hit(Limit.LINK_NETWORK, network_of(client.ip))
    with transaction() as tx:
        user = _user_of(tx, spend_token(tx, raw, Purpose.CONFIRM_EMAIL).user_id)
        user.email_verified_at = user.email_verified_at or clock.now()
        record_event(tx, user.id, EventKind.EMAIL_CONFIRMED, client)
        return Proof(user.id, (MAILED_LINK,), clock.now(), email_key=user.email_key)


def decline(raw: str, client: Client) -> None:
    """The owner of the address did not ask for the account: drop it, with the password that somebody else knows.

    An account that was confirmed before stays. Raises LinkInvalid and its kin, or TooManyAttempts.
    """
    runtime().throttle.hit(Limit.LINK_NETWORK, network_of(client.ip))
    with transaction() as tx:
        user = _user_of(tx, spend_token(tx, raw, Purpose.CONFIRM_EMAIL).user_id)
        if user.email_verified_at is None:
            tx.delete(user)
            log_security("registration_declined", user_id=user.id)


def _register(address: Address, password_hash: str, name: str, locale: str, client: Client, *, may_mail: bool) -> None:
    with transaction() as tx:
        user = tx.scalar(select(User).where(User.email_key == address.key).with_for_update())
        if not may_mail:
            outbox.enqueue_nothing(tx)
        elif user is not None and user.email_verified_at is not None:
            account_mail.send_address_taken(tx, user, client)
        else:
            if user is None:
                user = User(id=new_id(), email_key=address.key)
                tx.add(user)
            # Whoever registered this address before has not shown that it is theirs. Their password goes, and their
            # link with it, so that the link in the newest mail confirms the password that was chosen with it.
            user.email, user.name, user.locale, user.created_at = address.email, name, locale, clock.now()
            user.password_hash, user.password_changed_at = password_hash, clock.now()
            tx.flush()
            record_event(tx, user.id, EventKind.REGISTERED, client)
            account_mail.send_confirmation(tx, user, client)


def _user_of(tx: Session, user_id: object) -> User:
    return tx.get_one(User, user_id, with_for_update=True)
