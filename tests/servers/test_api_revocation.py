"""Signed out, with four real workers: whatever ends a login session, its access token soon opens nothing anywhere."""

import re
from collections.abc import Callable

import pytest

from tests.people import NEW_PASSWORD, PASSWORD
from tests.servers.devices import ApiSite, Device
from tests.servers.process import wait_until
from tests.servers.test_gunicorn import ON_LINUX, Visitor

pytestmark = ON_LINUX

AT_ONCE = ("/me", "/sessions", "/events")  # these look at the login session's row itself
AGAIN = 10  # times that a refusal is asked for anew


def delete_it_elsewhere(api: ApiSite, device: Device) -> None:
    elsewhere = api.new_device(device.email)
    assert elsewhere.call("DELETE", f"/sessions/{device.session_id}").status == 204


def sign_out_everywhere(api: ApiSite, device: Device) -> None:
    assert api.new_device(device.email).call("POST", "/auth/logout-all").status == 204


def sign_out_by_refresh_token(api: ApiSite, device: Device) -> None:
    assert api.call("POST", "/auth/logout", {"refresh_token": device.refresh_token}).status == 204


def change_the_password_elsewhere(api: ApiSite, device: Device) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert api.new_device(device.email).call("POST", "/me/password", body).status == 204


def reset_the_password(api: ApiSite, device: Device) -> None:
    with api.site.next_mail(device.email) as mail:
        assert api.call("POST", "/auth/password/forgot", {"email": device.email}).status == 202
    body = {"token": mail.link.rpartition("/")[2], "password": NEW_PASSWORD}
    assert api.call("POST", "/auth/password/reset", body).status == 204


def say_that_it_was_not_me(api: ApiSite, device: Device) -> None:
    browser = Visitor(api.site)
    assert browser.sign_in(device.email) == 303
    form = re.search(r'name="csrf_token" value="([^"]+)"', browser.open("/account/activity")[1])
    assert form is not None
    assert browser.open("/account/activity/not-me", {"csrf_token": form.group(1)})[0] == 200


def use_a_refresh_token_again(api: ApiSite, device: Device) -> None:
    spent = device.refresh_token
    for _ in range(2):
        device.refresh()
    answer = device.exchange(spent)
    assert (answer.status, answer.code) == (401, "refresh_reused")


ENDINGS: dict[str, Callable[[ApiSite, Device], object]] = {
    "signed out": lambda _, device: device.call("POST", "/auth/logout"),
    "signed out by its refresh token": sign_out_by_refresh_token,
    "signed out everywhere": sign_out_everywhere,
    "deleted": lambda _, device: device.call("DELETE", f"/sessions/{device.session_id}"),
    "deleted elsewhere": delete_it_elsewhere,
    "password changed": change_the_password_elsewhere,
    "password reset": reset_the_password,
    "account disabled": lambda api, device: api.site.flask("users", "disable", device.email),
    "this was not me": say_that_it_was_not_me,
    "refresh token reused": use_a_refresh_token_again,
}


@pytest.mark.asvs("7.4.1", "10.4.9")
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_what_ends_a_login_session_ends_its_access_token_on_every_worker(
    api_site: ApiSite, ending: Callable[[ApiSite, Device], object]
) -> None:
    device = api_site.new_device()
    token = device.access_token
    with api_site.line_to_each_worker() as lines:
        assert all(line.takes(token) for line in lines)
    ending(api_site, device)
    with api_site.line_to_each_worker() as lines:
        looked = [line.call("GET", path, token=token).status for line in lines for path in AT_ONCE]
        assert looked == [401] * len(looked)
        wait_until(lambda: not any(line.takes(token) for line in lines))
        assert not any(line.takes(token) for _ in range(AGAIN) for line in lines)
    assert device.exchange().code in ("session_revoked", "refresh_reused")


def test_what_ends_one_login_session_leaves_the_others(api_site: ApiSite) -> None:
    kept, ended = api_site.new_device(), api_site.new_device()
    beside = api_site.new_device(ended.email)
    assert ended.call("POST", "/auth/logout").status == 204
    with api_site.line_to_each_worker() as lines:
        wait_until(lambda: not any(line.takes(ended.access_token) for line in lines))
        assert all(line.takes(device.access_token) for line in lines for device in (kept, beside))
