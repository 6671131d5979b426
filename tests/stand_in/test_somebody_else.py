"""The form for somebody who is not among the ready people."""

import pytest

from stand_in.people import GMAIL, somebody_else
from tests.providers.client import PlainClient
from tests.stand_in.conftest import PersonAtBrowser


def test_somebody_else_signs_in_by_address(client: PlainClient, browser: PersonAtBrowser) -> None:
    page = browser.open(client.authorization_url())
    callback = browser.answer(page, email="new@example.com", name="New One", email_verified="on").headers["Location"]
    claims = client.claims(client.exchange(callback).json()["id_token"])
    assert (claims["email"], claims["name"], claims["email_verified"]) == ("new@example.com", "New One", True)
    assert "Continue as New One" in browser.open(client.authorization_url()).text


def test_an_address_that_is_not_ticked_is_not_verified(client: PlainClient, browser: PersonAtBrowser) -> None:
    page = browser.open(client.authorization_url())
    callback = browser.answer(page, email="new@example.com").headers["Location"]
    assert client.claims(client.exchange(callback).json()["id_token"])["email_verified"] is False


def test_one_address_is_one_person_at_every_start() -> None:
    one = somebody_else("new@example.com", "New One")
    assert one.sub == somebody_else("New@Example.com", email_verified=False).sub
    assert one.sub != somebody_else("newer@example.com").sub
    assert one.sub.isdigit()
    assert somebody_else("new@example.com").name == "new"


def test_a_ready_person_stays_who_they_are_with_another_name() -> None:
    renamed = somebody_else(GMAIL.email, "Gwen Married", email_verified=False)
    assert (renamed.sub, renamed.name, renamed.email_verified) == (GMAIL.sub, "Gwen Married", False)


def test_a_person_can_have_a_new_address(client: PlainClient, browser: PersonAtBrowser) -> None:
    page = browser.open(client.authorization_url())
    callback = browser.answer(page, email="gwen@example.com", sub=GMAIL.sub).headers["Location"]
    claims = client.claims(client.exchange(callback).json()["id_token"])
    assert (claims["sub"], claims["email"]) == (GMAIL.sub, "gwen@example.com")


@pytest.mark.parametrize(
    "fields",
    [{"email": ""}, {"email": "no address"}, {"email": "a@b@c"}, {"email": "x@y.example", "sub": "ü"}, {"person": "0"}],
    ids=str,
)
def test_what_is_wrong_is_said_and_the_page_still_works(
    client: PlainClient, browser: PersonAtBrowser, fields: dict[str, str]
) -> None:
    page = browser.answer(browser.open(client.authorization_url()), **fields)
    assert page.status_code == 422
    assert "<title>Error: " in page.text
    assert 'aria-invalid="true" autofocus' in page.text
    assert browser.answer(page, email="new@example.com").status_code == 303
