"""Who is calling."""

import pytest

from tests.http.small_app import HTTPS, PUBLIC, small_app
from webapp.http.client import clean_user_agent, network_of, normal_ip


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("unknown", None),
        ("192.0.2.7, 10.0.0.1", None),
        ("192.0.2.777", None),
        ("192.0.2.7\r\nx", None),
    ],
)
def test_an_address_has_one_spelling(written, normal):
    assert normal_ip(written) == normal


def test_logs_name_the_network_and_not_the_address():
    assert network_of("192.0.2.7") == "192.0.2.0/24"
    assert network_of("2001:db8:1:2:3::4") == "2001:db8:1::/48"
    assert network_of("nowhere") == ""


def test_a_user_agent_is_cut_and_stays_on_one_line():
    assert clean_user_agent("a\r\nb\x00c") == "a b c"
    assert len(clean_user_agent("a" * 5000)) == 512


def test_a_caller_is_known_by_address_user_agent_and_device_cookie():
    client = small_app().test_client()
    client.set_cookie("device", "d" * 43)
    answer = client.get("/seen", headers={"User-Agent": "curl/8"}, environ_base={"REMOTE_ADDR": "::ffff:192.0.2.7"})
    assert answer.json == {"ip": "192.0.2.7", "user_agent": "curl/8", "device": "d" * 43, "scheme": "http"}


@pytest.mark.parametrize("planted", ["", "short", "d" * 200, "not ok " * 6])
def test_a_device_cookie_that_we_never_made_is_none(planted):
    client = small_app().test_client()
    client.set_cookie("device", planted)
    assert client.get("/seen").json["device"] is None


@pytest.mark.asvs("3.3.3")
def test_over_https_only_the_host_prefixed_device_cookie_counts():
    client = small_app(**HTTPS).test_client()
    client.set_cookie("device", "a" * 43, domain="login.example.com")
    assert client.get("/seen", base_url=PUBLIC).json["device"] is None
    client.set_cookie("__Host-device", "b" * 43, domain="login.example.com", secure=True)
    assert client.get("/seen", base_url=PUBLIC).json["device"] == "b" * 43
