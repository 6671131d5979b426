"""What becomes of a proven identity, case by case: the whole table, so that nothing in it changes unseen."""

from itertools import product

import pytest

from webapp.policy.linking import (
    Local,
    Tie,
    Verdict,
    is_authoritative,
    judge_identity,
    judge_tie,
    may_unlink,
)

S, U = Verdict.SIGN_IN, Verdict.UNVERIFIED
# identity known, provider verified the address, provider decides whose it is -> by the local account:
#                         NONE               UNVERIFIED         VERIFIED       TIED          DISABLED
TABLE: dict[tuple[bool, bool, bool], tuple[Verdict, ...]] = {
    (True, True, True): (S, S, S, S, S),
    (True, True, False): (S, S, S, S, S),
    (True, False, True): (S, S, S, S, S),
    (True, False, False): (S, S, S, S, S),
    (False, True, True): (Verdict.PROVISION, Verdict.TAKE_OVER, Verdict.LINK, Verdict.TIED, Verdict.DISABLED),
    (False, True, False): (Verdict.PROVISION, Verdict.TAKE_OVER, Verdict.ASK, Verdict.TIED, Verdict.DISABLED),
    (False, False, True): (U, U, U, U, U),
    (False, False, False): (U, U, U, U, U),
}
LOCALS = (Local.NONE, Local.UNVERIFIED, Local.VERIFIED, Local.TIED, Local.DISABLED)
CASES = [
    (known, verified, authoritative, local, verdict)
    for (known, verified, authoritative), verdicts in TABLE.items()
    for local, verdict in zip(LOCALS, verdicts, strict=True)
]


@pytest.mark.asvs("6.8.1", "10.5.2")
@pytest.mark.parametrize(("known", "verified", "authoritative", "local", "verdict"), CASES)
def test_an_identity_is_judged(
    known: bool, verified: bool, authoritative: bool, local: Local, verdict: Verdict
) -> None:
    found = judge_identity(known=known, verified=verified, authoritative=authoritative, local=local)
    assert found is verdict


def test_the_table_has_every_case_once() -> None:
    cases = [case[:4] for case in CASES]
    assert set(cases) == set(product((True, False), (True, False), (True, False), Local))
    assert len(cases) == len(set(cases)) == 40


@pytest.mark.parametrize(
    ("known", "mine", "have_another", "tie"),
    [
        (False, False, False, Tie.LINK),
        (False, False, True, Tie.ANOTHER),
        (True, True, False, Tie.THERE_ALREADY),
        (True, False, False, Tie.ELSEWHERE),
        (True, False, True, Tie.ELSEWHERE),  # what opens another account is told before what this one has
        # No table lets these be; whatever made them, nothing new is linked.
        (True, True, True, Tie.THERE_ALREADY),
        (False, True, False, Tie.LINK),
        (False, True, True, Tie.ANOTHER),
    ],
)
def test_an_identity_that_is_to_be_linked_is_judged(known: bool, mine: bool, have_another: bool, tie: Tie) -> None:
    assert judge_tie(known=known, mine=mine, have_another=have_another) is tie


GOOGLE = {"authoritative": True, "domains": ("gmail.com", "googlemail.com"), "trusts_hosted_domain": True}
ONE_DOMAIN = {"authoritative": True, "domains": ("acme.example",), "trusts_hosted_domain": False}
ALL_DOMAINS = {"authoritative": True, "domains": (), "trusts_hosted_domain": False}
NOBODY = {"authoritative": False, "domains": (), "trusts_hosted_domain": False}


@pytest.mark.parametrize(
    ("email", "hosted_domain"),
    [
        ("gwen@gmail.com", None),
        ("gwen@googlemail.com", None),
        ("Gwen@GMAIL.COM", None),
        ("wim@example.org", "example.org"),
    ],
)
def test_google_decides_about_its_own_addresses_and_those_it_hosts(email: str, hosted_domain: str | None) -> None:
    assert is_authoritative(email, **GOOGLE, hosted_domain=hosted_domain)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "email",
    [
        "alice@example.com",
        "alice@notgmail.com",
        "alice@gmail.com.evil.example",
        "alice@gmail.com.",
        "alice@mail.gmail.com",
        "alice@evil.example/gmail.com",
        "alice@gmail.co",
        "alice@gmail.com\n",
        "alice@gmaıl.com",  # dotless i
        "alice@gmаil.com",
        "alice@xn--gmal-nza.com",
        "gmail.com@evil.example",
        '"alice@gmail.com"@evil.example',
        "gmail.com@",
        "@",
        "",
    ],
)
def test_google_decides_about_nobody_elses_addresses(email: str) -> None:
    assert not is_authoritative(email, **GOOGLE, hosted_domain=None)  # type: ignore[arg-type]
    assert not is_authoritative(email, **GOOGLE, hosted_domain="")  # type: ignore[arg-type]


def test_another_provider_decides_where_the_operator_says_so() -> None:
    for email, rules, expected in [
        ("ann@acme.example", ONE_DOMAIN, True),
        ("ann@ACME.example", ONE_DOMAIN, True),
        ("ann@sub.acme.example", ONE_DOMAIN, False),
        ("ann@acme.example.evil.example", ONE_DOMAIN, False),
        ("ann@gmail.com", ONE_DOMAIN, False),
        ("ann@gmail.com", ALL_DOMAINS, True),
        ("ann@acme.example", NOBODY, False),
        ("ann@acme.example", {**NOBODY, "domains": ("acme.example",)}, False),
    ]:
        assert is_authoritative(email, **rules, hosted_domain=None) is expected, (email, rules)  # type: ignore[arg-type]


def test_a_hosted_domain_counts_only_where_it_means_what_it_means_at_google() -> None:
    """`hd` is a claim of Google's own: another provider may let anybody write it."""
    for rules in (ONE_DOMAIN, NOBODY, {**NOBODY, "trusts_hosted_domain": True}):
        assert not is_authoritative("ann@example.org", **rules, hosted_domain="example.org")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("has_password", "other_identities", "allowed"),
    [(False, 0, False), (True, 0, True), (False, 1, True), (True, 1, True)],
)
def test_the_last_way_in_stays(has_password: bool, other_identities: int, allowed: bool) -> None:
    assert may_unlink(has_password=has_password, other_identities=other_identities) is allowed
