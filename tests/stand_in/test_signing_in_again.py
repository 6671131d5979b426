"""When the stand-in believes an earlier sign-in, and when it wants a new one: prompt, max_age, auth_time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from stand_in.people import COMPANY, GMAIL, KOREAN
from stand_in.provider import Provider
from tests.providers.client import PlainClient, answer_in
from tests.stand_in.conftest import NewBrowser, PersonAtBrowser

START = datetime(2026, 11, 26, 12, tzinfo=UTC)
EARLIER, LATER = int(START.timestamp()), int((START + timedelta(minutes=20)).timestamp())


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Time stands still at START."""
    with time_machine.travel(START, tick=False) as coordinates:
        yield coordinates


@pytest.fixture
def twenty_minutes_later(
    clock: time_machine.Traveller, client: PlainClient, browser: PersonAtBrowser
) -> time_machine.Traveller:
    """The browser is signed in since START as the first of the people."""
    browser.sign_in(client.authorization_url(), GMAIL)
    clock.shift(timedelta(minutes=20))
    return clock


def auth_time(client: PlainClient, callback: str) -> int:
    return int(client.claims(client.exchange(callback).json()["id_token"])["auth_time"])


@pytest.mark.usefixtures("twenty_minutes_later")
def test_who_is_signed_in_continues_with_one_click(client: PlainClient, browser: PersonAtBrowser) -> None:
    page = browser.open(client.authorization_url())
    assert page.status_code == 200, "nobody is sent on without a click"
    assert f"Continue as {GMAIL.name}" in page.text
    assert KOREAN.email not in page.text
    assert auth_time(client, browser.answer(page, person=GMAIL.sub).headers["Location"]) == EARLIER


@pytest.mark.usefixtures("twenty_minutes_later")
def test_another_account_is_one_link_away(provider: Provider, client: PlainClient, browser: PersonAtBrowser) -> None:
    page = browser.open(client.authorization_url())
    link = page.text.split('<a href="')[1].split('"')[0].replace("&amp;", "&")
    choice = browser.open(provider.issuer + link)
    assert KOREAN.email in choice.text
    callback = browser.answer(choice, person=KOREAN.sub).headers["Location"]
    assert answer_in(callback)["state"] == client.state
    assert auth_time(client, callback) == LATER


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, EARLIER),
        ({"prompt": "select_account"}, EARLIER),
        ({"prompt": "consent"}, EARLIER),
        ({"max_age": "1200"}, EARLIER),
        ({"prompt": "login"}, LATER),
        ({"prompt": "login consent"}, LATER),
        ({"max_age": "1199"}, LATER),
        ({"max_age": "0"}, LATER),
    ],
    ids=str,
)
@pytest.mark.usefixtures("twenty_minutes_later")
def test_a_new_sign_in_is_made_where_one_is_asked_for(
    client: PlainClient, browser: PersonAtBrowser, changes: dict[str, str | None], expected: int
) -> None:
    page = browser.open(client.authorization_url(**changes))
    assert ("Sign in again" in page.text) is (expected == LATER)
    assert auth_time(client, browser.answer(page, person=GMAIL.sub).headers["Location"]) == expected


def test_a_page_that_lay_open_too_long_for_max_age_makes_a_new_sign_in(
    clock: time_machine.Traveller, client: PlainClient, browser: PersonAtBrowser
) -> None:
    browser.sign_in(client.authorization_url())
    page = browser.open(client.authorization_url(max_age="60"))
    assert "Sign in again" not in page.text
    clock.shift(timedelta(minutes=5))
    callback = browser.answer(page, person=GMAIL.sub).headers["Location"]
    assert auth_time(client, callback) == EARLIER + 300


def test_a_page_that_lay_open_for_an_hour_is_not_answered(
    clock: time_machine.Traveller, client: PlainClient, browser: PersonAtBrowser
) -> None:
    page = browser.open(client.authorization_url())
    clock.shift(timedelta(hours=1))
    assert browser.answer(page, person=GMAIL.sub).status_code == 400


@pytest.mark.usefixtures("twenty_minutes_later")
def test_without_a_page_only_who_is_signed_in_gets_through(
    client: PlainClient, browser: PersonAtBrowser, new_browser: NewBrowser
) -> None:
    answer = browser.open(client.authorization_url(prompt="none"))
    assert answer.status_code == 303
    assert auth_time(client, answer.headers["Location"]) == EARLIER
    too_old = browser.open(client.authorization_url(prompt="none", max_age="60"))
    assert answer_in(too_old.headers["Location"])["error"] == "login_required"
    nobody = new_browser().open(client.authorization_url(prompt="none"))
    assert answer_in(nobody.headers["Location"])["error"] == "login_required"


@pytest.mark.parametrize("hint", [COMPANY.email, COMPANY.email.upper(), COMPANY.sub])
@pytest.mark.usefixtures("twenty_minutes_later")
def test_who_is_hinted_at_stands_first(client: PlainClient, browser: PersonAtBrowser, hint: str) -> None:
    page = browser.open(client.authorization_url(login_hint=hint)).text
    assert page.index(COMPANY.email) < page.index(GMAIL.email) < page.index(KOREAN.email)


def test_who_is_hinted_at_and_unknown_stands_in_the_form(client: PlainClient, browser: PersonAtBrowser) -> None:
    page = browser.open(client.authorization_url(login_hint='"><script>alert(1)</script>')).text
    assert "<details open>" in page
    assert "<script" not in page
    assert "&#34;&gt;&lt;script&gt;" in page
