"""Moving an account to another address: confirmed at the new one, told to the old one, which can undo it."""

import uuid

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import EmailUnchanged, LinkInvalid, LinkReplaced
from webapp.models import OneTimeToken, User
from webapp.policy.login_sessions import EndReason
from webapp.policy.one_time import Purpose
from webapp.policy.security_events import EventKind
from webapp.policy.throttling import Limit, network_of
from webapp.services import account_mail, outbox
from webapp.services.addresses import address_key, parse_address
from webapp.services.client import Client
from webapp.services.factors import remove_recent_factors
from webapp.services.identities import forget_identities
from webapp.services.known_devices import forget_devices
from webapp.services.login_sessions import SignedIn, end_login_sessions, lock_live, require_fresh
from webapp.services.one_time import counting_misses, end_tokens, get_token, issue_token, spend_token
from webapp.services.runtime import runtime
from webapp.services.security_events import record_event
from webapp.services.sign_in import end_steps
from webapp.services.transaction import transaction


def request_email_change(signed_in: SignedIn, new_email: str, client: Client) -> str:
    """Mail a link to the new address; nothing changes before it is used. Gives the address as written to.

    The answer is the same where the address has an account already: its owner is told by mail instead.
    Raises EmailInvalid, EmailUnchanged, NotSignedIn, ReauthenticationRequired or TooManyAttempts.
    """
    require_fresh(signed_in)
    address = parse_address(new_email)
    runtime().throttle.hit(Limit.EMAIL_CHANGE, str(signed_in.user_id))
    may_mail = account_mail.may_mail(address.key, client)
    with transaction() as tx:
        user, _ = lock_live(tx, signed_in)
        if address.email == user.email:
            raise EmailUnchanged
        holder = tx.scalar(select(User).where(User.email_key == address.key, User.email_verified_at.is_not(None)))
        if may_mail:
            # Also where nobody will ever get this link: the page of the change must look the same.
            change = {"email": address.email, "from": user.email_key}
            token = issue_token(tx, user.id, Purpose.CHANGE_EMAIL, data=change)
            if holder is None or holder.id == user.id:
                account_mail.send_new_address_confirmation(tx, user, address.email, token, client)
            else:
                account_mail.send_address_taken(tx, holder, client)
        else:
            outbox.enqueue_nothing(tx)
        record_event(tx, user.id, EventKind.EMAIL_CHANGE_REQUESTED, client, login_session_id=signed_in.login_session_id)
    return address.email


def find_pending_change(user_id: object) -> str | None:
    """The address a user has asked to move to and not confirmed yet."""
    with transaction() as tx:
        token = tx.scalar(
            select(OneTimeToken).where(
                OneTimeToken.user_id == user_id,
                OneTimeToken.purpose == Purpose.CHANGE_EMAIL,
                OneTimeToken.ended_at.is_(None),
                OneTimeToken.expires_at > clock.now(),
            )
        )
        return None if token is None else str(token.data["email"])


def cancel_email_change(signed_in: SignedIn) -> None:
    """Forget the address a user has asked to move to."""
    with transaction() as tx:
        end_tokens(tx, signed_in.user_id, Purpose.CHANGE_EMAIL)


def find_confirmable(signed_in: SignedIn, raw: str, client: Client) -> str:
    """The address that a link mailed to it would make the account's; spends nothing.

    Raises LinkInvalid and its kin, also for a link of another account, or TooManyAttempts.
    """
    return _find_email(raw, Purpose.CHANGE_EMAIL, client, of=signed_in.user_id)


def find_undoable(raw: str, client: Client) -> str:
    """The address that an undoing link would bring back; spends nothing.

    Raises LinkInvalid and its kin, or TooManyAttempts.
    """
    return _find_email(raw, Purpose.UNDO_EMAIL_CHANGE, client)


def confirm_email_change(signed_in: SignedIn, raw: str, client: Client) -> None:
    """Spend the link mailed to a new address: it becomes the account's, and the old one is told.

    Only from within the account. Otherwise Mallory could ask for Alice's address, and Alice, who presses the button in
    her mail, would make an account hers of which Mallory keeps the link that undoes it.

    Raises LinkInvalid and its kin; LinkReplaced where the address found another owner meanwhile; TooManyAttempts;
    NotSignedIn where the session was ended meanwhile.
    """
    runtime().throttle.hit(Limit.LINK_NETWORK, network_of(client.ip))
    try:
        with transaction() as tx:
            user, _ = lock_live(tx, signed_in)
            spent = spend_token(tx, raw, Purpose.CHANGE_EMAIL)
            if user.id != spent.user_id:
                raise LinkInvalid
            if user.email_key != spent.data["from"]:
                raise LinkReplaced
            new_email = str(spent.data["email"])
            _clear_unverified(tx, new_email)
            old_email, old_key = user.email, user.email_key
            user.email, user.email_key = new_email, address_key(new_email)
            user.email_verified_at = clock.now()
            tx.flush()
            end_tokens(tx, user.id, Purpose.RESET_PASSWORD)  # they were mailed to the old address
            end_steps(tx, user.id)  # so were links that sign in
            if old_key != user.email_key:
                undo = issue_token(tx, user.id, Purpose.UNDO_EMAIL_CHANGE, data={"email": old_email})
                account_mail.tell_old_address(tx, user, old_email, undo, client)
            record_event(tx, user.id, EventKind.EMAIL_CHANGED, client)
    except IntegrityError:
        raise LinkReplaced from None


def undo_email_change(raw: str, client: Client) -> None:
    """Spend the link mailed to the old address: it is the account's again.

    Whoever changed it may know the password and be signed in, so every session ends, the password opens nothing
    more, and a link to a new one is mailed to the address that undid the change. Links that undo later changes, and
    so would lead to an address of theirs, end; those of earlier ones stay.
    Raises LinkInvalid and its kin, or TooManyAttempts.
    """
    runtime().throttle.hit(Limit.LINK_NETWORK, network_of(client.ip))
    try:
        with transaction() as tx:
            spent = spend_token(tx, raw, Purpose.UNDO_EMAIL_CHANGE)
            user = tx.get_one(User, spent.user_id, with_for_update=True)
            old_email = str(spent.data["email"])
            if user.email_key != address_key(old_email):
                _clear_unverified(tx, old_email)
            user.email, user.email_key = old_email, address_key(old_email)
            user.email_verified_at, user.password_blocked_at = clock.now(), clock.now()
            tx.flush()
            end_tokens(tx, user.id, Purpose.CHANGE_EMAIL)
            end_tokens(tx, user.id, Purpose.UNDO_EMAIL_CHANGE, since=spent.created_at)
            end_login_sessions(tx, user.id, EndReason.EMAIL_RESTORED)
            end_steps(tx, user.id)
            forget_devices(tx, user.id)
            remove_recent_factors(tx, user)
            forget_identities(tx, user.id)  # whoever changed the address may have linked one
            record_event(tx, user.id, EventKind.EMAIL_RESTORED, client)
            account_mail.tell_sessions_ended(tx, user, client)
    except IntegrityError:  # somebody registered the old address and confirmed it meanwhile
        raise LinkInvalid from None


def _find_email(raw: str, purpose: Purpose, client: Client, *, of: uuid.UUID | None = None) -> str:
    with counting_misses(client), transaction() as tx:
        token = get_token(tx, raw, purpose)
        if of is not None and token.user_id != of:
            raise LinkInvalid
        return str(token.data["email"])


def _clear_unverified(tx: Session, email: str) -> None:
    """An account that never showed that this address is its own does not keep it from whoever just did."""
    squatter = tx.scalar(
        select(User).where(User.email_key == address_key(email), User.email_verified_at.is_(None)).with_for_update()
    )
    if squatter is not None:
        tx.delete(squatter)
        tx.flush()
