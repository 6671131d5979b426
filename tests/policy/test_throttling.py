"""The table of limits, which counters a guess falls into, and what one network is."""

import ipaddress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.policy.throttling import Limit, OnSuccess, login_buckets, network_of


def test_no_two_limits_share_a_counter():
    assert len({limit.counter for limit in Limit}) == len(Limit.__members__)


@pytest.mark.parametrize("limit", Limit)
def test_a_longer_window_allows_more_in_all_but_less_in_the_same_time(limit):
    for shorter, longer in zip(limit.windows, limit.windows[1:], strict=False):
        assert shorter.length < longer.length
        assert shorter.amount < longer.amount < shorter.amount * (longer.length / shorter.length)


@pytest.mark.parametrize("limit", Limit)
def test_nobody_waits_longer_than_a_day(limit):
    assert max(window.length for window in limit.windows) <= timedelta(days=1)


@pytest.mark.asvs("6.3.1")
def test_a_known_browser_has_a_counter_that_nobody_else_can_fill():
    (owner,) = login_buckets(account="alice", network="192.0.2.1", known_device="her laptop")
    stranger = login_buckets(account="alice", network="192.0.2.1", known_device=None)
    other = login_buckets(account="alice", network="192.0.2.1", known_device="her phone")
    assert owner not in {*stranger, *other}


@pytest.mark.asvs("6.3.1")
def test_a_strangers_guess_counts_for_the_account_wherever_it_comes_from():
    here = login_buckets(account="alice", network="192.0.2.1", known_device=None)
    there = login_buckets(account="alice", network="198.51.100.1", known_device=None)
    assert [bucket.limit for bucket in {*here} & {*there}] == [Limit.LOGIN_ACCOUNT]


@pytest.mark.asvs("6.3.1")
def test_a_strangers_guess_counts_for_the_network_whosever_password_it_is():
    one = login_buckets(account="alice", network="192.0.2.1", known_device=None)
    another = login_buckets(account="bob", network="192.0.2.1", known_device=None)
    assert [bucket.limit for bucket in {*one} & {*another}] == [Limit.LOGIN_NETWORK]


def test_success_on_ones_own_account_does_not_start_the_networks_counter_again():
    assert Limit.LOGIN_NETWORK.on_success is OnSuccess.GIVE_BACK


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", "unknown"),
        ("unknown", "unknown"),
        ("192.0.2.7:443", "unknown"),
        ("192.0.2.999", "unknown"),
        ("\0", "unknown"),
    ],
)
def test_an_address_stands_for_its_network(ip, network):
    assert network_of(ip) == network


@given(st.text())
def test_any_text_has_a_network(text):
    assert network_of(text)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_its_own_network_however_it_is_written(address):
    assert network_of(str(address)) == network_of(f"::ffff:{address}") == str(address)


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_all_addresses_of_an_ipv6_customer_are_one_network(address, rest):
    other = ipaddress.IPv6Address((int(address) >> 64 << 64) | rest)
    if address.ipv4_mapped is None and other.ipv4_mapped is None:
        assert network_of(str(address)) == network_of(str(other)) == network_of(address.exploded)
