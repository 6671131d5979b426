"""From an identity that a provider has proven to a user of ours: policy.linking decides, this file acts."""

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum, auto

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import (
    AccountDisabled,
    AccountExists,
    Busy,
    DomainError,
    EmailInvalid,
    IdentityBlocked,
    IdentityElsewhere,
    IdentityTied,
    ProviderEmailUnverified,
)
from webapp.gateways.relying_party import ProvenIdentity
from webapp.ids import new_id
from webapp.models import Identity, User
from webapp.policy.linking import Local, Tie, Verdict, is_authoritative, judge_identity, judge_tie
from webapp.policy.login_sessions import EndReason
from webapp.policy.names import clean_name
from webapp.policy.security_events import EventKind
from webapp.provider_settings import ProviderConfig
from webapp.services import account_mail, link_offers, provider_grants
from webapp.services.addresses import Address, parse_address
from webapp.services.client import Client
from webapp.services.identities import add_identity, find_identity, note_seen, same_identity
from webapp.services.login_sessions import SignedIn, end_login_sessions, lock_live
from webapp.services.security_events import log_security, record_event
from webapp.services.sign_in import Proof
from webapp.services.transaction import transaction

LANGUAGES = ("en", "ko")
ATTEMPTS = 3  # an address is nobody's, then perhaps a squatter's, then its owner's: it changes hands no more often


class News(StrEnum):
    """What the person should read after signing in."""

    WELCOME = auto()  # an account was made
    TAKEN_OVER = auto()  # an account was made, in place of one that nobody had confirmed
    LINKED = auto()  # the account that was there is opened by the provider, too, from now on
    ADDRESS_MOVED = auto()  # the address at the provider is another than last time


@dataclass(frozen=True)
class Admitted:
    """Whose account it is, as a proof for `start_sign_in`, and what to tell them."""

    proof: Proof
    news: News | None = None


def admit(proven: ProvenIdentity, config: ProviderConfig, client: Client, *, locale: str) -> Admitted:
    """The user behind an identity: known by it, found by the address as far as that may be, or made now. `locale` is
    the language of the page, for a provider that names none.

    Raises ProviderEmailUnverified, AccountExists, IdentityTied, IdentityBlocked, AccountDisabled or Busy.
    """
    for _ in range(ATTEMPTS):
        with suppress(IntegrityError):  # others came with the same at the same time: the next attempt finds their rows
            return _admit(proven, config, client, locale)
    raise Busy


def link(signed_in: SignedIn, proven: ProvenIdentity, config: ProviderConfig, client: Client) -> bool:
    """Have an identity open the account of whoever is signed in; whether it did not before. The caller has asked for a
    fresh sign-in (ASVS 7.5.1).

    Raises NotSignedIn, IdentityElsewhere or IdentityTied.
    """
    try:
        with transaction() as tx:
            user, _ = lock_live(tx, signed_in)
            return link_to(tx, user, proven, config, client)
    except IntegrityError:  # somebody linked it elsewhere in the meantime
        raise IdentityElsewhere from None


def link_to(tx: Session, user: User, proven: ProvenIdentity, config: ProviderConfig, client: Client) -> bool:
    """The same for an account whose owner the caller has proven, and whose row it has locked."""
    identity = tx.scalar(select(Identity).where(*same_identity(proven)))
    mine = identity is not None and identity.user_id == user.id
    have_another = _has_other_identity(tx, user, proven)
    tie = judge_tie(known=identity is not None, mine=mine, have_another=have_another)
    if tie is Tie.ELSEWHERE:
        raise IdentityElsewhere
    if tie is Tie.ANOTHER:
        raise IdentityTied
    if tie is Tie.THERE_ALREADY:
        assert identity is not None
        note_seen(identity, proven)
        provider_grants.keep_grant(tx, identity, proven.tokens)
        return False
    _link(tx, user, proven, config, client)
    return True


def _admit(proven: ProvenIdentity, config: ProviderConfig, client: Client, locale: str) -> Admitted:
    with transaction() as tx:
        identity = find_identity(tx, proven)
        address = _vouched(proven)
        # Not where the identity is known: no address counts then, and two users' rows are locked in no order.
        local, user = (Local.NONE, None) if identity is not None else _find_local(tx, proven, address)
        authoritative = address is not None and _is_authoritative(address, user, proven, config)
        verdict = judge_identity(
            known=identity is not None, verified=address is not None, authoritative=authoritative, local=local
        )
        if verdict is Verdict.SIGN_IN:
            assert identity is not None
            return _known(tx, identity, proven)
        if verdict is Verdict.LINK:
            assert user is not None
            return Admitted(_proof(_link(tx, user, proven, config, client), proven), News.LINKED)
        if verdict in (Verdict.PROVISION, Verdict.TAKE_OVER):
            assert address is not None
            if user is not None:
                _clear_away(tx, user)
            made = _provision(tx, address, proven, config, client, locale, taken_over=user is not None)
            return Admitted(_proof(made, proven), News.WELCOME if user is None else News.TAKEN_OVER)
        handle = link_offers.offer(tx, user, proven, config) if verdict is Verdict.ASK and user is not None else ""
        user_id = None if user is None else user.id
    log_security("identity_refused", reason=verdict, provider=config.name, user_id=user_id)
    raise _refusal(verdict, handle)


def _refusal(verdict: Verdict, handle: str) -> DomainError:
    if verdict is Verdict.ASK:
        return AccountExists(handle=handle)
    return {
        Verdict.UNVERIFIED: ProviderEmailUnverified,
        Verdict.TIED: IdentityTied,
        Verdict.DISABLED: AccountDisabled,
    }[verdict]()


def _vouched(proven: ProvenIdentity) -> Address | None:
    """The address that the provider has confirmed, if it is one."""
    if not proven.email_verified or proven.email is None:
        return None
    try:
        return parse_address(proven.email)
    except EmailInvalid:
        return None


def _find_local(tx: Session, proven: ProvenIdentity, address: Address | None) -> tuple[Local, User | None]:
    if address is None:
        return Local.NONE, None
    user = tx.scalar(select(User).where(User.email_key == address.key).with_for_update())
    if user is None:
        return Local.NONE, None
    if user.disabled_at is not None:
        return Local.DISABLED, user
    if user.email_verified_at is None:
        return Local.UNVERIFIED, user
    return (Local.TIED if _has_other_identity(tx, user, proven) else Local.VERIFIED), user


def _has_other_identity(tx: Session, user: User, proven: ProvenIdentity) -> bool:
    others = (Identity.user_id == user.id, Identity.issuer == proven.issuer, Identity.subject != proven.subject)
    return bool(tx.scalar(select(exists().where(*others))))


def _is_authoritative(address: Address, user: User | None, proven: ProvenIdentity, config: ProviderConfig) -> bool:
    if user is not None and user.second_factor_since is not None:
        return False  # half a proof changes nothing: the owner signs in in full, and links then
    # Two addresses that only fold to one key may be two mailboxes: then the provider's word is about the other one.
    # Only A to Z are folded here: to str.casefold, "ß" is "ss".
    if user is not None and user.email.encode().lower() != address.email.encode().lower():
        return False
    return is_authoritative(
        address.email,
        authoritative=config.authoritative,
        domains=config.domains,
        trusts_hosted_domain=config.trusts_hosted_domain,
        hosted_domain=proven.hosted_domain,
    )


def _known(tx: Session, identity: Identity, proven: ProvenIdentity) -> Admitted:
    if identity.blocked_at is not None:
        log_security("identity_refused", reason="blocked", provider=identity.provider, user_id=identity.user_id)
        raise IdentityBlocked
    moved = note_seen(identity, proven)
    provider_grants.keep_grant(tx, identity, proven.tokens)
    return Admitted(_proof(identity, proven), News.ADDRESS_MOVED if moved else None)


def _link(tx: Session, user: User, proven: ProvenIdentity, config: ProviderConfig, client: Client) -> Identity:
    identity = add_identity(tx, user, proven, config)
    provider_grants.keep_grant(tx, identity, proven.tokens)
    record_event(tx, user.id, EventKind.IDENTITY_LINKED, client, provider=config.label)
    account_mail.tell_of_linking(tx, user, client, provider=config.label, identity_email=identity.email)
    return identity


def _clear_away(tx: Session, squatter: User) -> None:
    """Whoever registered this address never showed that it is theirs. Everything of that account goes with its row:
    password, sessions of both kinds, links, devices, whatever was planted in it (ON DELETE CASCADE).
    """
    end_login_sessions(tx, squatter.id, EndReason.DELETION)  # here at once; the rows go with the user's
    log_security("address_taken_over", user_id=squatter.id)
    tx.delete(squatter)
    tx.flush()


def _provision(
    tx: Session,
    address: Address,
    proven: ProvenIdentity,
    config: ProviderConfig,
    client: Client,
    locale: str,
    *,
    taken_over: bool,
) -> Identity:
    language = proven.locale.replace("_", "-").partition("-")[0].lower()
    user = User(
        id=new_id(),
        email=address.email,
        email_key=address.key,
        email_verified_at=clock.now(),
        name=clean_name(proven.name),
        locale=language if language in LANGUAGES else locale,
        created_at=clock.now(),
    )
    tx.add(user)
    tx.flush()
    identity = add_identity(tx, user, proven, config)
    provider_grants.keep_grant(tx, identity, proven.tokens)
    record_event(tx, user.id, EventKind.REGISTERED, client, provider=config.label)
    if taken_over:
        record_event(tx, user.id, EventKind.ADDRESS_TAKEN_OVER, client)
    account_mail.tell_of_new_account(tx, user, client, provider=config.label, taken_over=taken_over)
    return identity


def _proof(identity: Identity, proven: ProvenIdentity) -> Proof:
    at = min(proven.auth_time or clock.now(), clock.now())
    return Proof(identity.user_id, (identity.provider,), at, identity_id=identity.id)
