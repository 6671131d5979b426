"""What the stand-in demands of an authorization request, and where it sends people."""

import pytest

from stand_in.provider import Provider
from tests.providers.client import PlainClient, answer_in
from tests.stand_in.conftest import OTHER_CALLBACK, NewBrowser, PersonAtBrowser


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "nobody"},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/login/google/callback"},
        {"redirect_uri": "http://127.0.0.1:8000/login/google/callback/"},
        {"redirect_uri": "http://127.0.0.1:8000/login/google/callback?x=1"},
        {"redirect_uri": "http://127.0.0.1:8000/login/google/callback#x"},
        {"redirect_uri": "http://localhost:8000/login/google/callback"},
        {"redirect_uri": "http://127.0.0.1:8000/login/google/../google/callback"},
        {"redirect_uri": "https://other.example/callback"},
    ],
    ids=str,
)
def test_nobody_is_sent_to_a_place_that_is_not_registered(
    client: PlainClient, browser: PersonAtBrowser, changes: dict[str, str | None]
) -> None:
    answer = browser.open(client.authorization_url(**changes))
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "cannot be answered" in answer.text


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_who_asks_is_said_once(client: PlainClient, browser: PersonAtBrowser, name: str) -> None:
    answer = browser.open(client.authorization_url() + f"&{name}=another")
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "email profile"}, "invalid_scope"),
        ({"scope": 'openid "quoted"'}, "invalid_scope"),
        ({"nonce": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "a" * 44}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "unheard"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"nonce": "n" * 5000}, "invalid_request"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"request_uri": "https://evil.example/"}, "request_uri_not_supported"),
    ],
    ids=str,
)
def test_a_request_that_is_not_right_goes_back_with_an_error(
    client: PlainClient, browser: PersonAtBrowser, changes: dict[str, str | None], error: str
) -> None:
    answer = browser.open(client.authorization_url(**changes))
    assert answer.status_code == 303
    told = answer_in(answer.headers["Location"])
    assert (told["error"], told["state"], told["iss"]) == (error, client.state, client.issuer)
    assert "code" not in told


def test_a_request_without_state_goes_back_without_one(client: PlainClient, browser: PersonAtBrowser) -> None:
    told = answer_in(browser.open(client.authorization_url(state=None)).headers["Location"])
    assert told["error"] == "invalid_request"
    assert "state" not in told


def test_a_parameter_that_stands_twice_is_refused(client: PlainClient, browser: PersonAtBrowser) -> None:
    answer = browser.open(client.authorization_url() + "&nonce=another")
    assert answer_in(answer.headers["Location"])["error"] == "invalid_request"


def test_who_agrees_comes_back_with_code_state_and_issuer(client: PlainClient, browser: PersonAtBrowser) -> None:
    told = answer_in(browser.sign_in(client.authorization_url()))
    assert set(told) == {"code", "state", "iss"}
    assert (told["state"], told["iss"]) == (client.state, client.issuer)


def test_who_cancels_comes_back_with_an_error_state_and_issuer(client: PlainClient, browser: PersonAtBrowser) -> None:
    answer = browser.answer(browser.open(client.authorization_url()), cancel="1")
    assert answer.status_code == 303
    told = answer_in(answer.headers["Location"])
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", client.state, client.issuer)
    assert "code" not in told


def test_a_query_of_the_redirect_uri_is_kept(client: PlainClient, browser: PersonAtBrowser) -> None:
    callback = browser.sign_in(client.authorization_url(redirect_uri=OTHER_CALLBACK))
    assert callback.startswith(f"{OTHER_CALLBACK}&code=")


# The page


def test_a_page_is_answered_once(client: PlainClient, browser: PersonAtBrowser) -> None:
    page = browser.open(client.authorization_url())
    assert browser.answer(page, cancel="1").status_code == 303
    again = browser.answer(page, cancel="1")
    assert (again.status_code, again.headers.get("Location")) == (400, None)


def test_a_page_is_answered_by_the_browser_that_got_it(
    provider: Provider, client: PlainClient, browser: PersonAtBrowser, new_browser: NewBrowser
) -> None:
    page = browser.open(client.authorization_url())
    stranger = new_browser()
    assert stranger.answer(page, person=next(iter(provider.people))).status_code == 400
    stranger.open(client.authorization_url())  # now with a cookie of its own
    assert stranger.answer(page, person=next(iter(provider.people))).status_code == 400
    assert browser.answer(page, cancel="1").status_code == 303


def test_two_pages_can_be_open_at_once(client: PlainClient, browser: PersonAtBrowser) -> None:
    one, two = (browser.open(client.authorization_url(state=state)) for state in ("one", "two"))
    states = [answer_in(browser.answer(page, cancel="1").headers["Location"])["state"] for page in (two, one)]
    assert states == ["two", "one"]
