"""What becomes of somebody whom an OpenID provider has proven: one decision, made from plain values.

The key of an identity is (issuer, subject) and never the address (OpenID Connect Core 1.0, section 5.7; ASVS 10.5.2).
An address only ever finds an account for an identity that has none, and then counts for no more than the provider can
vouch for: whoever registered it here first without showing that it is theirs must not keep a way in, and whoever has
it at the provider now may not be who had it when the account here was made.
"""

from collections.abc import Collection
from enum import StrEnum, auto


class Local(StrEnum):
    """The account here that has the address, if any."""

    NONE = auto()
    UNVERIFIED = auto()  # nobody has shown that the address is theirs
    VERIFIED = auto()
    TIED = auto()  # verified, and another identity of this provider opens it
    DISABLED = auto()


class Verdict(StrEnum):
    """What becomes of a proven identity."""

    SIGN_IN = auto()  # the identity is known: its user, whatever the addresses are now
    PROVISION = auto()  # nobody is known: a new user
    TAKE_OVER = auto()  # the address was registered by somebody who never confirmed it: they go, a new user comes
    LINK = auto()  # the account with this address; the provider's word for it is enough
    ASK = auto()  # the account with this address, once its owner has signed in to it the old way
    UNVERIFIED = auto()  # the provider vouches for no address
    TIED = auto()  # the account with this address belongs to another identity of the same provider
    DISABLED = auto()  # the account with this address is closed


class Tie(StrEnum):
    """What becomes of an identity that somebody who is signed in wants to link."""

    LINK = auto()
    THERE_ALREADY = auto()  # it is linked to this very account
    ELSEWHERE = auto()  # it opens another account
    ANOTHER = auto()  # this account has another identity of the same provider


def judge_identity(*, known: bool, verified: bool, authoritative: bool, local: Local) -> Verdict:
    """Judge a proven identity that wants in. `verified`: the provider says that the address was confirmed;
    `authoritative`: it is the one to decide whose address it is.
    """
    if known:
        return Verdict.SIGN_IN
    if not verified:
        return Verdict.UNVERIFIED
    return {
        Local.NONE: Verdict.PROVISION,
        Local.UNVERIFIED: Verdict.TAKE_OVER,
        Local.VERIFIED: Verdict.LINK if authoritative else Verdict.ASK,
        Local.TIED: Verdict.TIED,
        Local.DISABLED: Verdict.DISABLED,
    }[local]


def judge_tie(*, known: bool, mine: bool, have_another: bool) -> Tie:
    """Judge an identity that a signed-in user wants to link. No address is looked at: both were proven just now."""
    if known:
        return Tie.THERE_ALREADY if mine else Tie.ELSEWHERE
    return Tie.ANOTHER if have_another else Tie.LINK


def is_authoritative(
    email: str, *, authoritative: bool, domains: Collection[str], trusts_hosted_domain: bool, hosted_domain: str | None
) -> bool:
    """Whether the provider decides whose address this is: for `domains` (all, where none is named), and where it says
    that it manages the address itself. Google: gmail.com, or the claim `hd`.
    """
    if not authoritative:
        return False
    if trusts_hosted_domain and hosted_domain:
        return True
    return not domains or email.rpartition("@")[2].casefold() in domains


def may_unlink(*, has_password: bool, other_identities: int) -> bool:
    """Whether a way in is left without it."""
    return has_password or other_identities > 0
