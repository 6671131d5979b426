"""What coming back from a provider costs the database: few statements, the same on every store, and no connection is
held while the provider is asked.
"""

import pytest
from flask import Flask

from stand_in.people import COMPANY, ELSEWHERE, GMAIL, KOREAN, Person
from tests.journeys.provider_people import begin_linking, registered
from tests.people import PASSWORD, Browser, runtime_of
from tests.providers.faults import Wire
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back, leave
from tests.rows import Rows, statements

# Where cookie sessions and limits lie is the store's affair, and measured elsewhere.
NOT_COUNTED = ("BEGIN", "cookie_sessions", "rate_limits", "SELECT ?")
# The request spent, the identity looked up, the user locked; then what is written, and the session that begins.
COSTS = {"known": 11, "new": 15, "taken over": 19, "linked by itself": 16, "asked": 5, "linked on the page": 9}


@pytest.fixture
def app(google: Flask) -> Flask:
    return google


def ready(case: str, app: Flask, provider: LyingProvider) -> tuple[Browser, str]:
    """Somebody at a browser who is about to come back from Google, and the callback."""
    browser, person = Browser(app), GMAIL
    if case == "known":
        come_back(browser, provider.approve(leave(browser), person))
        browser.sign_out()
    elif case == "taken over":
        person = KOREAN
        Browser(app).submit("/register", email=person.email, password=PASSWORD, name="Mallory")
    elif case in ("linked by itself", "asked"):
        person = COMPANY if case == "linked by itself" else ELSEWHERE
        registered(app, person.email)
    elif case == "linked on the page":
        browser = registered(app, ELSEWHERE.email)
        return browser, provider.approve(begin_linking(browser), person)
    return browser, provider.approve(leave(browser), person)


@pytest.mark.parametrize(("case", "cost"), COSTS.items(), ids=COSTS)
def test_a_callback_costs_so_many_statements(
    app: Flask, provider: LyingProvider, rows: Rows, case: str, cost: int
) -> None:
    browser, callback = ready(case, app, provider)
    with statements(rows.engine) as sent:
        assert come_back(browser, callback).status_code == 303
    counted = [one for one in sent if not any(part in one[:60] for part in NOT_COUNTED)]
    assert len(counted) == cost, "\n".join(one[:100] for one in counted)


def test_leaving_costs_one_row_and_one_look_for_those_that_are_too_many(
    app: Flask, rows: Rows, browser: Browser
) -> None:
    leave(browser)  # with the provider's metadata known from now on
    page = browser.get("/login")
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    with statements(rows.engine) as sent:
        assert browser.post("/login/google", {"csrf_token": token}).status_code == 303
    counted = [one for one in sent if not any(part in one[:60] for part in NOT_COUNTED)]
    assert [one.split()[0] for one in counted] == ["INSERT", "DELETE"]


@pytest.mark.parametrize("case", COSTS)
def test_no_connection_waits_for_the_provider(app: Flask, provider: LyingProvider, case: str) -> None:
    """A slow provider must not use up what every other page needs."""
    browser, callback = ready(case, app, provider)
    held: list[int] = []

    def note(_wire: Wire) -> None:
        held.append(runtime_of(app).engine.pool.checkedout())  # type: ignore[attr-defined]

    provider.lie.answers.update(token=note, keys=note, userinfo=note)
    assert come_back(browser, callback).status_code == 303
    assert held
    assert set(held) == {0}


@pytest.mark.parametrize("person", [GMAIL, ELSEWHERE])
def test_one_round_trip_to_the_provider_is_enough_once_its_keys_are_known(
    app: Flask, provider: LyingProvider, browser: Browser, person: Person
) -> None:
    come_back(browser, provider.approve(leave(browser), person))
    browser.sign_out()
    url = leave(browser)
    provider.received.clear()
    callback = provider.approve(url, person)
    provider.received.clear()
    assert come_back(browser, callback).status_code == 303
    assert [request.endpoint for request in provider.received] == ["token"]
