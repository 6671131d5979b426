"""The people who can sign in at the stand-in. Each shows one case of how a site links accounts."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Person:
    """Somebody with an account at the provider, which knows them by `sub` whatever becomes of their address."""

    sub: str
    email: str
    name: str
    email_verified: bool = True
    locale: str = "en"
    hd: str | None = None  # the domain of the company that manages the account
    case: str = ""  # what they show

    def claims(self, scopes: Collection[str]) -> dict[str, Any]:
        """What the scopes allow to be told (OpenID Connect Core 1.0, section 5.4), without the picture."""
        told: dict[str, Any] = {"sub": self.sub}
        if "email" in scopes:
            told |= {"email": self.email, "email_verified": self.email_verified}
            told |= {"hd": self.hd} if self.hd else {}
        if "profile" in scopes:
            told |= {"name": self.name, "locale": self.locale}
        return told


# Nobody owns these addresses: Gmail gives out none with an underscore, the other domains are for examples (RFC 2606).
GMAIL = Person(
    sub="100000000000000000001",
    email="gwen_mailer@gmail.com",
    name="Gwen Mailer",
    case="Google’s own address: links to an account.",
)
COMPANY = Person(
    sub="100000000000000000002",
    email="wim@example.org",
    name="Wim Workman",
    hd="example.org",
    case="Company account (hd): links to an account.",
)
ELSEWHERE = Person(
    sub="100000000000000000003",
    email="alice@example.com",
    name="Alice Elsewhere",
    case="Address elsewhere: links after signing in as before.",
)
UNVERIFIED = Person(
    sub="100000000000000000004",
    email="uma@example.net",
    name="Uma Unverified",
    email_verified=False,
    case="Address not verified: is turned away.",
)
KOREAN = Person(
    sub="100000000000000000005",
    email="seoyeon_kim@gmail.com",
    name="김서연",
    locale="ko",
    case="Korean name and language.",
)
PEOPLE = (GMAIL, COMPANY, ELSEWHERE, UNVERIFIED, KOREAN)


def somebody_else(email: str, name: str = "", *, email_verified: bool = True, sub: str = "") -> Person:
    """Whoever has this address: the same person each time, unless `sub` says whose address it has become."""
    ready = next((person for person in PEOPLE if person.email == email.lower()), None)
    if ready is not None and sub in ("", ready.sub):
        return replace(ready, name=name or ready.name, email_verified=email_verified)
    digits = int.from_bytes(hashlib.sha256(email.lower().encode()).digest(), "big") % 10**20
    return Person(
        sub=sub or f"2{digits:020d}",
        email=email,
        name=name or email.partition("@")[0],
        email_verified=email_verified,
    )
