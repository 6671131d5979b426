"""What is believed of forwarding headers."""

import pytest

from tests.http.small_app import HTTPS, PUBLIC, small_app
from tests.journeys.pages import csrf_token
from tests.people import PASSWORD, Browser
from tests.rows import on_sqlite

PEER = {"REMOTE_ADDR": "198.51.100.9"}
FORGED = {
    "X-Forwarded-For": "203.0.113.66",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "4444",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Ssl": "on",
    "Forwarded": "for=203.0.113.66;proto=https;host=evil.example",
    "X-Real-IP": "203.0.113.66",
    "True-Client-IP": "203.0.113.66",
}


def seen(app, headers, **options):
    return app.test_client().get("/seen", headers=headers, environ_base=PEER, **options).json


@pytest.mark.asvs("4.1.3", "15.3.4")
def test_without_a_proxy_forged_headers_change_nothing():
    app = small_app()
    assert seen(app, FORGED) == seen(app, {})
    assert seen(app, FORGED)["ip"] == "198.51.100.9"
    assert seen(app, FORGED)["scheme"] == "http"


@pytest.mark.asvs("4.1.3", "15.3.4")
@pytest.mark.parametrize(
    ("proxies", "forwarded_for", "address"),
    [
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "203.0.113.66, 192.0.2.1", "192.0.2.1"),
        (2, "203.0.113.66, 192.0.2.1, 10.0.0.1", "192.0.2.1"),
        (2, "192.0.2.1", "198.51.100.9"),
        (1, "", "198.51.100.9"),
        (1, "not-an-address", "198.51.100.9"),
        (1, "192.0.2.1:55555", "192.0.2.1"),
        (1, "[2001:db8::1]:55555", "2001:db8::1"),
    ],
)
def test_with_proxies_the_address_is_the_one_that_the_outermost_trusted_one_saw(proxies, forwarded_for, address):
    assert seen(small_app(TRUSTED_PROXIES=proxies), {"X-Forwarded-For": forwarded_for})["ip"] == address


def test_with_a_proxy_the_scheme_is_believed_and_the_host_is_not():
    app = small_app(TRUSTED_PROXIES=1, **HTTPS)
    headers = {**FORGED, "Host": "login.example.com"}
    assert seen(app, headers)["scheme"] == "https"
    assert app.test_client().get("/?lang=ko", headers=headers).location == "/"


def test_a_scheme_that_is_none_is_http():
    assert seen(small_app(TRUSTED_PROXIES=1), {"X-Forwarded-Proto": "javascript"})["scheme"] == "http"


@pytest.mark.asvs("12.2.1", "4.1.2")
def test_a_page_that_came_over_http_moves_to_https_and_nothing_else_works():
    client = small_app(TRUSTED_PROXIES=1, **HTTPS).test_client()
    plain = {"base_url": "http://login.example.com", "headers": {"X-Forwarded-Proto": "http"}}
    moved = client.get("/form?a=b", **plain)
    assert (moved.status_code, moved.location) == (308, f"{PUBLIC}/form?a=b")
    assert client.post("/form", **plain).status_code == 403
    assert client.get("/api/v1/break", **plain).status_code == 403


# What is counted and what is written down


def guesses_until_told_to_wait(app, forwarded_for, peer="198.51.100.9", most=14):
    """How many guesses a caller has; each claims to come from somewhere else."""
    browser = Browser(app, ip=peer)
    for number in range(most):
        headers = {"X-Forwarded-For": forwarded_for(number), "X-Real-IP": f"192.0.2.{number}"}
        page = browser.get("/login", headers=headers)
        form = {"csrf_token": csrf_token(page), "email": "alice@example.com", "password": "not the right one"}
        if browser.post("/login", form, headers=headers).status_code == 429:
            return number
    return most


@on_sqlite
@pytest.mark.asvs("15.3.4", "4.1.3", "6.3.1")
@pytest.mark.parametrize(
    ("proxies", "forwarded_for", "guesses"),
    [
        (0, lambda n: f"203.0.113.{n}", 10),
        (1, lambda n: f"203.0.113.{n}, 192.0.2.1", 10),
        (2, lambda n: f"203.0.113.{n}, 192.0.2.1, 10.0.0.1", 10),
        (1, lambda n: f"203.0.113.{n}, 2001:db8:1:1::{n:x}", 10),
        (1, lambda n: f"192.0.2.{n}", 14),
        (1, lambda n: f"2001:db8:1:{n:x}::1", 14),
    ],
    ids=["no proxy", "one", "two", "one customer's IPv6", "really many", "really many networks of IPv6"],
)
def test_whoever_forges_an_address_is_counted_as_who_they_are(new_app, proxies, forwarded_for, guesses):
    assert guesses_until_told_to_wait(new_app(TRUSTED_PROXIES=proxies), forwarded_for) == guesses


@on_sqlite
@pytest.mark.asvs("15.3.4", "4.1.3")
@pytest.mark.parametrize(("proxies", "ip"), [(0, "198.51.100.9"), (1, "192.0.2.1")])
def test_what_is_written_down_is_the_real_caller(new_app, new_user, rows, capsys, proxies, ip):
    email = new_user()
    browser = Browser(new_app(TRUSTED_PROXIES=proxies), ip="198.51.100.9")
    token = csrf_token(browser.get("/login"))
    capsys.readouterr()
    forged = {**FORGED, "X-Forwarded-For": "203.0.113.66, 192.0.2.1"}
    browser.post("/login", {"csrf_token": token, "email": email, "password": PASSWORD}, headers=forged)
    (live,) = rows.live(email)
    assert live.ip == ip
    written = capsys.readouterr().err
    assert f"network={ip.rpartition('.')[0]}.0/24" in written
    assert "203.0.113" not in written
