"""Names of devices."""

import time

import pytest

from tests.http.small_app import small_app
from webapp.http.devices import install_devices, local_device_name
from webapp.services.devices import DeviceKind, describe_device, device_kind, device_name

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0"
_IOS = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
DEVICES = [
    (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36", "Chrome on Windows", "computer"),
    (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36 Edg/120.0", "Edge on Windows", "computer"),
    (f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME.replace('Chrome', 'HeadlessChrome')}", "Chrome on Linux", "computer"),
    ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0", "Firefox on Linux", "computer"),
    (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_IOS} Version/17.1 Safari/605", "Safari on Mac", "computer"),
    (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_CHROME} Safari/537.36", "Chrome on Chromebook", "computer"),
    (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) {_IOS} Version/17.2 Mobile/15E148 Safari/604.1",
        "Safari on iPhone",
        "phone",
    ),
    (
        f"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) {_IOS} Version/16.6 Mobile/15E148 Safari/604.1",
        "Safari on iPad",
        "tablet",
    ),
    (f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36", "Chrome on Android", "phone"),
    (f"Mozilla/5.0 (Linux; Android 13; SM-X906C) {_CHROME} Safari/537.36", "Chrome on Android", "tablet"),
    ("curl/8.4.0", "curl", "app"),
    ("python-requests/2.31.0", "python-requests", "app"),
    ("OurPhoneApp/1.2", "OurPhoneApp", "app"),
    ("", "Unknown device", "unknown"),
    ("garbage", "Unknown device", "unknown"),
    ("<script>alert(1)</script>/1", "Unknown device", "unknown"),
]


@pytest.mark.parametrize(("user_agent", "name", "kind"), DEVICES)
def test_a_device_has_a_name_that_its_owner_knows(user_agent, name, kind):
    assert device_name(user_agent) == name
    assert device_kind(user_agent) == DeviceKind(kind)


@pytest.mark.asvs("1.3.12")
def test_a_hostile_user_agent_costs_no_more_than_an_ordinary_one():
    device_name("warm")
    started = time.thread_time()
    device_name("Mozilla/5.0 (" + "Android; " * 20_000 + ")")
    assert time.thread_time() - started < 0.05


def test_the_memory_for_names_is_bounded():
    assert describe_device.cache_info().maxsize == 2048


def test_templates_name_devices():
    app = small_app()
    install_devices(app)
    with app.test_request_context():
        assert local_device_name("curl/8.4.0") == "curl"
        assert local_device_name(DEVICES[0][0]) == "Chrome on Windows"
        assert local_device_name("") == "Unknown device"
    assert app.jinja_env.filters["device_kind"]("curl/8.4.0") == "app"
