"""How often anything may be tried: one table, the same for pages and API, counted for all workers together.

No stranger can lock a user out. A browser that signed in to the account before has a counter of its own, which nobody
else can fill; guesses from anywhere else fill other counters and end in a wait there (ASVS 6.1.1, 6.3.1). And whoever
has the mailbox can always come in by a mailed link, which none of the counters for passwords stops.
"""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

UNKNOWN_NETWORK = "unknown"
IPV6_NETWORK_BITS = 64  # what one customer gets at the least, so what one guesser has at the least


class OnSuccess(Enum):
    """What becomes of the counter when an attempt turns out right."""

    START_AGAIN = "start_again"  # the right person is there: earlier slips are forgotten (NIST SP 800-63B-4, 3.2.2)
    GIVE_BACK = "give_back"  # this attempt does not count; whose the others were, nobody knows
    STANDS = "stands"  # what is counted costs something whether it succeeds or not


@dataclass(frozen=True)
class Window:
    """At most `amount` attempts in `length`, counted from the first one."""

    amount: int
    length: timedelta


def _per(amount: int, **length: int) -> Window:
    return Window(amount, timedelta(**length))


class Limit(Enum):
    """Every limit: its name, what there is one counter for, what success does to it, its windows from short to long."""

    # Guesses at one password. The owner's known browser; anybody else, by network; anybody else, all together, so that
    # a thousand rented addresses get no further than one. A hard stop after 100 wrong ones (NIST SP 800-63B-4, 3.2.2)
    # would be a way to shut owners out; 100 a day, for years, find no password that keeps the rules for passwords.
    LOGIN_DEVICE = ("login_device", "account, device", OnSuccess.START_AGAIN, _per(10, minutes=15))
    LOGIN_ACCOUNT_NETWORK = ("login_account_network", "account, network", OnSuccess.START_AGAIN, _per(10, minutes=15))
    LOGIN_ACCOUNT = ("login_account", "account", OnSuccess.GIVE_BACK, _per(30, hours=1), _per(100, days=1))

    # How often the owner reads of it. Silent: strangers must not be able to fill the owner's log.
    GUESSING_NOTICE = ("guessing_notice", "account", OnSuccess.STANDS, _per(1, days=1))

    # One password tried on many accounts. High enough for a school or an office behind one address. A guesser's own
    # account must not start the counter again, so a success only gives back itself.
    LOGIN_NETWORK = ("login_network", "network", OnSuccess.GIVE_BACK, _per(100, minutes=15))

    # Whoever found an open screen, or copied a token that lives for a month, guesses the password to change it.
    REAUTHENTICATE = ("reauthenticate", "login session", OnSuccess.START_AGAIN, _per(10, minutes=15), _per(30, days=1))

    # Whoever has the first factor guesses the second: a million codes, of which two are good at a time. As with
    # passwords the owner's known browser has a counter of its own; anybody else has one by network, and one all
    # together, which stops long before a code is likely to be found.
    SECOND_FACTOR_DEVICE = (
        "second_factor_device",
        "user, device",
        OnSuccess.START_AGAIN,
        _per(10, minutes=15),
        _per(50, days=1),
    )
    SECOND_FACTOR_NETWORK = ("second_factor_network", "user, network", OnSuccess.START_AGAIN, _per(10, minutes=15))
    SECOND_FACTOR = ("second_factor", "user", OnSuccess.GIVE_BACK, _per(30, hours=1), _per(100, days=1))

    # Each asks for a signature to be verified.
    PASSKEY_NETWORK = ("passkey_network", "network", OnSuccess.STANDS, _per(60, minutes=1), _per(1000, hours=1))

    # Mailed sign-in: typed codes are short, so few may be tried.
    MAILED_CODE = ("mailed_code", "mail", OnSuccess.STANDS, _per(5, minutes=15))

    # Robots that fill the table of users, or try which addresses have an account; each try also costs a hash.
    REGISTER_NETWORK = ("register_network", "network", OnSuccess.STANDS, _per(30, minutes=1), _per(600, hours=1))
    FORGOT_NETWORK = ("forgot_network", "network", OnSuccess.STANDS, _per(30, minutes=1), _per(300, hours=1))

    # Mails to somebody because a stranger typed their address. Silent: the page's answer is the same without the mail.
    MAIL_ADDRESS = ("mail_address", "address, known device", OnSuccess.STANDS, _per(5, hours=1), _per(20, days=1))

    # A reserve beyond them, two for each network that asks: one stranger cannot use up the mails of somebody who forgot
    # a password and sits at a new machine, and many cannot bury a mailbox.
    MAIL_ADDRESS_NETWORK = ("mail_address_network", "address, network", OnSuccess.STANDS, _per(2, hours=1))
    MAIL_ADDRESS_RESERVE = ("mail_address_reserve", "address", OnSuccess.STANDS, _per(10, hours=1))

    # Each start leaves a row until its person comes back from the provider; each answer costs a call to the provider.
    AUTHORIZATION_NETWORK = (
        "authorization_network",
        "network",
        OnSuccess.STANDS,
        _per(60, minutes=1),
        _per(1000, hours=1),
    )

    # Codes and ID tokens that apps show us, guessed or forged: the one costs a query, the other a verification.
    APP_PROOF_NETWORK = ("app_proof_network", "network", OnSuccess.STANDS, _per(60, minutes=1), _per(1000, hours=1))

    # Event tokens that are none, each of which costs a verification; those of the provider itself are not counted.
    EVENT_NETWORK = ("event_network", "network", OnSuccess.STANDS, _per(60, minutes=15))

    # Guesses at mailed links: hopeless at 256 bits, but each costs a query.
    LINK_NETWORK = ("link_network", "network", OnSuccess.STANDS, _per(60, minutes=15))

    # What a signed-in user, or a thief of the session, can make us do at length or to others.
    EXPORT = ("export", "user", OnSuccess.STANDS, _per(10, hours=1))
    EMAIL_CHANGE = ("email_change", "user", OnSuccess.STANDS, _per(10, hours=1))

    def __init__(self, counter: str, one_for_each: str, on_success: OnSuccess, *windows: Window) -> None:
        self.counter = counter
        self.one_for_each = one_for_each
        self.on_success = on_success
        self.windows = windows


@dataclass(frozen=True)
class Bucket:
    """One counter of a limit: the one for this key."""

    limit: Limit
    key: tuple[str, ...]


def login_buckets(*, account: str, network: str, known_device: str | None) -> tuple[Bucket, ...]:
    """The counters that a guess at an account's password falls into, to be hit in this order.

    `account` is the address as it is compared, whether or not anybody has it: a limit that only real accounts have
    would tell which are real. `known_device` names the browser only if it has signed in to this very account before.

    The narrowest comes first: what it stops does not use up what others in the same network, or the owner on a new
    machine, still have.
    """
    if known_device is not None:
        return (Bucket(Limit.LOGIN_DEVICE, (account, known_device)),)
    return (
        Bucket(Limit.LOGIN_ACCOUNT_NETWORK, (account, network)),
        Bucket(Limit.LOGIN_NETWORK, (network,)),
        Bucket(Limit.LOGIN_ACCOUNT, (account,)),
    )


def factor_buckets(*, user: str, network: str, known_device: str | None) -> tuple[Bucket, ...]:
    """The same for a guess at a second factor. Only who has shown the first one gets as far."""
    if known_device is not None:
        return (Bucket(Limit.SECOND_FACTOR_DEVICE, (user, known_device)),)
    return Bucket(Limit.SECOND_FACTOR_NETWORK, (user, network)), Bucket(Limit.SECOND_FACTOR, (user,))


def network_of(ip: str) -> str:
    """What counts as one place on the internet: an IPv4 address, or an IPv6 /64, however it is written.

    What is no address is all one place, "unknown", so that nonsense in place of an address gains nothing.
    """
    try:
        address = ipaddress.ip_address(ip.strip().partition("%")[0])
    except ValueError:
        return UNKNOWN_NETWORK
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
