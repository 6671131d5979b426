"""The mails that tell of an account, each written to the outbox in the transaction of what it tells."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp import clock
from webapp.models import Identity, User
from webapp.policy.one_time import LIFE, Purpose
from webapp.policy.throttling import Limit, network_of
from webapp.services import links, outbox
from webapp.services.addresses import masked
from webapp.services.client import Client
from webapp.services.one_time import issue_token
from webapp.services.runtime import runtime


def may_mail(email_key: str, client: Client, known_device: str | None = None) -> bool:
    """Whether requests have not yet had enough mails sent to this address. Counts this one. A browser that signed in
    to the account before, named by the digest of its secret, counts for itself, and each network draws on a reserve:
    one stranger cannot use up the mails of the owner.

    Asked before a transaction writes: the counter has a connection of its own, and SQLite has one writer.
    """
    throttle = runtime().throttle
    if throttle.allows(Limit.MAIL_ADDRESS, email_key, *([known_device] if known_device else ())):
        return True
    return throttle.allows(Limit.MAIL_ADDRESS_NETWORK, email_key, network_of(client.ip)) and throttle.allows(
        Limit.MAIL_ADDRESS_RESERVE, email_key
    )


def send_confirmation(tx: Session, user: User, client: Client) -> None:
    """Mail a link that confirms the address; the newest is the only one that works."""
    token = issue_token(tx, user.id, Purpose.CONFIRM_EMAIL)
    _tell(
        tx,
        user,
        "confirm_email",
        client,
        link=links.link(links.CONFIRM_EMAIL, token),
        expires_hours=_hours(LIFE[Purpose.CONFIRM_EMAIL]),
    )


def send_address_taken(tx: Session, user: User, client: Client) -> None:
    """Tell the owner that somebody tried to register their address; the browser is told nothing."""
    _tell(
        tx,
        user,
        "address_taken",
        client,
        sign_in_link=links.link(links.SIGN_IN),
        forgot_link=links.link(links.FORGOT_PASSWORD),
    )


def send_reset(tx: Session, user: User, client: Client) -> None:
    """Mail a link that sets a new password."""
    token = issue_token(tx, user.id, Purpose.RESET_PASSWORD)
    _tell(
        tx,
        user,
        "reset_password",
        client,
        link=links.link(links.RESET_PASSWORD, token),
        expires_minutes=str(int(LIFE[Purpose.RESET_PASSWORD] / timedelta(minutes=1))),
    )


def tell_of_new_device(tx: Session, user: User, client: Client) -> None:
    """Tell of a sign-in from a device this account has not seen."""
    _tell(tx, user, "new_device", client, activity_link=links.link(links.ACTIVITY))


def tell_of_guesses_before(tx: Session, user: User, client: Client, *, failures: int) -> None:
    """Tell of a sign-in that came after many wrong passwords."""
    _tell(
        tx,
        user,
        "guessed_before",
        client,
        failures=str(failures),
        activity_link=links.link(links.ACTIVITY),
    )


def tell_of_reuse(tx: Session, user: User, client: Client) -> None:
    """Tell that an app was signed out because its refresh token was used twice. The device named is the one that came
    second: the thief's, or the owner's own after the thief.
    """
    _tell(
        tx,
        user,
        "refresh_reused",
        client,
        activity_link=links.link(links.ACTIVITY),
        forgot_link=links.link(links.FORGOT_PASSWORD),
    )


def tell_of_new_password(tx: Session, user: User, client: Client) -> None:
    """Tell that the password was changed, and what else opens the account: a thief may have connected something."""
    names = tx.scalars(select(Identity.provider).where(Identity.user_id == user.id).order_by(Identity.id))
    labels = [found.config.label for name in names if (found := runtime().relying_parties.get(name))]
    told = {"connected": ", ".join(labels)} if labels else {}
    _tell(tx, user, "password_changed", client, forgot_link=links.link(links.FORGOT_PASSWORD), **told)


def send_new_address_confirmation(tx: Session, user: User, new_email: str, token: str, client: Client) -> None:
    """Ask, at a new address, whether it is to be this account's."""
    _tell(
        tx,
        user,
        "confirm_new_email",
        client,
        to=new_email,
        link=links.link(links.CONFIRM_NEW_EMAIL, token),
        expires_hours=_hours(LIFE[Purpose.CHANGE_EMAIL]),
    )


def tell_old_address(tx: Session, user: User, old_email: str, token: str, client: Client) -> None:
    """Tell the address an account had before, with the link that undoes the change."""
    _tell(
        tx,
        user,
        "email_changed",
        client,
        to=old_email,
        new_email=masked(user.email),
        undo_link=links.link(links.UNDO_EMAIL_CHANGE, token),
        expires_days=str(LIFE[Purpose.UNDO_EMAIL_CHANGE].days),
    )


def tell_sessions_ended(tx: Session, user: User, client: Client) -> None:
    """After "this was not me": every session is over; here is the link to a new password."""
    token = issue_token(tx, user.id, Purpose.RESET_PASSWORD)
    _tell(
        tx,
        user,
        "sessions_ended",
        client,
        link=links.link(links.RESET_PASSWORD, token),
        expires_minutes=str(int(LIFE[Purpose.RESET_PASSWORD] / timedelta(minutes=1))),
        forgot_link=links.link(links.FORGOT_PASSWORD),
    )


def tell_of_new_account(tx: Session, user: User, client: Client, *, provider: str, taken_over: bool) -> None:
    """Tell that an account was made for somebody who came with a provider; `taken_over`: in place of one that nobody
    had confirmed.
    """
    told = {"taken_over": "1"} if taken_over else {}
    _tell(tx, user, "account_created", client, provider=provider, account_link=links.link(links.CONNECTIONS), **told)


def tell_of_linking(tx: Session, user: User, client: Client, *, provider: str, identity_email: str | None) -> None:
    """Tell that a provider opens the account from now on."""
    _tell(
        tx,
        user,
        "identity_linked",
        client,
        provider=provider,
        activity_link=links.link(links.ACTIVITY),
        **({"identity_email": masked(identity_email)} if identity_email else {}),
    )


def tell_of_unlinking(tx: Session, user: User, client: Client, *, provider: str, identity_email: str | None) -> None:
    """Tell that a provider opens the account no more."""
    _tell(
        tx,
        user,
        "identity_unlinked",
        client,
        provider=provider,
        activity_link=links.link(links.ACTIVITY),
        forgot_link=links.link(links.FORGOT_PASSWORD),
        **({"identity_email": masked(identity_email)} if identity_email else {}),
    )


def tell_of_provider_alert(tx: Session, user: User, client: Client, *, alert: str, provider: str) -> None:
    """Tell what we did because a provider says that something is wrong with the account there. `alert` is the
    policy.security_events.EventKind of it.
    """
    _tell(
        tx,
        user,
        "provider_alert",
        client,
        alert=alert,
        provider=provider,
        activity_link=links.link(links.ACTIVITY),
        forgot_link=links.link(links.FORGOT_PASSWORD),
    )


def tell_of_factor(tx: Session, user: User, client: Client, *, change: str, left: int | None = None) -> None:
    """Tell of a change to the second factors. `change` names it; `left` is how many recovery codes are."""
    _tell(
        tx,
        user,
        "factor_changed",
        client,
        change=change,
        activity_link=links.link(links.ACTIVITY),
        security_link=links.link(links.SECURITY),
        **({} if left is None else {"left": str(left)}),
    )


def send_sign_in(tx: Session, user: User, token: str, code: str, client: Client) -> None:
    """Mail a link and a code, each of which signs in once, in the browser that asked."""
    _tell(
        tx,
        user,
        "sign_in",
        client,
        link=links.link(links.MAILED_SIGN_IN, token),
        code=code,
        expires_minutes=str(int(LIFE[Purpose.SIGN_IN] / timedelta(minutes=1))),
    )


def tell_of_deletion(tx: Session, user: User, client: Client) -> None:
    """Tell when the account will be deleted, and how to keep it."""
    due = user.deletion_due_at
    assert due is not None
    _tell(tx, user, "deletion_scheduled", client, due_at=due.isoformat(), sign_in_link=links.link(links.SIGN_IN))


def tell_deleted(tx: Session, user: User) -> None:
    """The last mail: nothing is left."""
    outbox.enqueue(tx, "account_deleted", to=user.email, locale=user.locale, params={})


def _tell(tx: Session, user: User, event: str, client: Client, *, to: str | None = None, **params: str) -> None:
    about = {
        "user_agent": client.user_agent,  # named in the reader's language when the mail is written
        "ip": client.ip,
        "at": clock.now().isoformat(),
    }
    known = {name: value for name, value in about.items() if value}  # an operator has no device and no address
    outbox.enqueue(tx, event, to=to or user.email, locale=user.locale, params={**known, **params})


def _hours(life: timedelta) -> str:
    return str(int(life / timedelta(hours=1)))
