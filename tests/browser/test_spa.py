"""An app in the browser and its tabs: signed in once, refreshed together, signed out only when it should be."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, Page, Request, Response, Route, expect

from tests.browser.conftest import PHONE, NewContext
from tests.browser.test_forms import send
from tests.browser.test_pages import RUN_AXE, STICKING_OUT
from tests.people import NEW_PASSWORD, PASSWORD
from tests.servers.fixtures import NewSite
from tests.servers.process import wait_until
from tests.servers.site import LiveSite

SPA = "/demo/spa"
REFRESH = "**/api/v1/auth/refresh"
TOLD = "#told"


@pytest.fixture(scope="module")
def member(browser: Browser, live_site: LiveSite) -> str:
    """The address of a confirmed account."""
    return register(browser, live_site)


@pytest.fixture
def context(new_context: NewContext) -> BrowserContext:
    """Somebody's browser."""
    return new_context()


@pytest.fixture
def app_page(context: BrowserContext, member: str) -> Page:
    """The app, signed in."""
    return sign_in(context.new_page(), member)


def register(browser: Browser, site: LiveSite) -> str:
    email = f"{uuid4().hex}@example.com"
    page = browser.new_page(base_url=site.url, locale="en-GB")
    with site.next_mail(email) as mail:
        page.goto("/register")
        send(page, name="Alice", email=email, password=PASSWORD)
    page.goto(mail.link)
    send(page)
    expect(page).to_have_url(f"{site.url}/account")
    page.context.close()
    return email


def sign_in(page: Page, email: str) -> Page:
    page.goto(SPA)
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.click("#sign-in [type=submit]")
    return is_signed_in(page, email)


def is_signed_in(page: Page, email: str) -> Page:
    expect(page.locator("#signed-in")).to_be_visible()
    expect(page.locator("#address")).to_have_text(email)
    return page


def is_signed_out(page: Page, sentence: str) -> None:
    expect(page.locator("#signed-out")).to_be_visible()
    expect(page.locator(TOLD)).to_have_text(sentence)
    expect(page.locator("#signed-in")).to_be_hidden()
    assert page.locator("#address, #claims, #sessions").all_inner_texts() == ["", "", ""]


def press(page: Page, deed: str) -> None:
    page.click(f"[data-do={deed}]")


def do(page: Page, deed: str) -> None:
    """Press a button and wait until what it does is done."""
    press(page, deed)
    is_done(page)


def is_done(page: Page) -> None:
    expect(page.locator("[aria-busy]")).to_have_count(0)


def happened(page: Page) -> list[str]:
    """What the app tells of, the oldest first."""
    return page.locator("#log li > p:first-child").all_inner_texts()[::-1]


def session_id(page: Page) -> str:
    return page.locator("#claims dt:has-text('sid') + dd").inner_text()


def row(site: LiveSite, login_session_id: str) -> dict[str, Any]:
    """A login session as the database has it."""
    with closing(sqlite3.connect(site.instance / "app.db")) as database:
        database.row_factory = sqlite3.Row
        found = database.execute(
            "SELECT generation, end_reason FROM login_sessions WHERE id = ?", [login_session_id.replace("-", "")]
        ).fetchone()
    return dict(found)


def refresh_cookie(context: BrowserContext, site: LiveSite) -> dict[str, Any]:
    """The cookie of the refresh token."""
    cookies = {cookie["name"]: cookie for cookie in context.cookies(f"{site.url}/api/v1/auth/refresh")}
    return dict(cookies["refresh"])


def asked(context: BrowserContext, ending: str = "/auth/refresh") -> list[Request]:
    """From now on, the requests of all tabs for one address of the API."""
    requests: list[Request] = []
    context.on("request", lambda request: requests.append(request) if request.url.endswith(ending) else None)
    return requests


@contextmanager
def held_back(context: BrowserContext, page: Page) -> Iterator[list[Route]]:
    """Within the block no refresh reaches the site; afterwards those do that were asked for, and all later ones."""
    held: list[Route] = []
    state = {"is_open": False}

    def hold(route: Route) -> None:
        if state["is_open"]:
            route.continue_()
        else:
            held.append(route)

    context.route(REFRESH, hold)
    yield held
    rest_until(page, lambda: bool(held))
    state["is_open"] = True
    for route in held:
        route.continue_()


def rest_until(page: Page, condition: Callable[[], bool]) -> None:
    """Let the browser go on until `condition` holds."""
    for _ in range(3_000):
        if condition():
            return
        page.wait_for_timeout(10)
    raise AssertionError("did not happen")


# Where the tokens are


@pytest.mark.asvs("3.3.4", "14.3.3")
def test_no_token_is_where_a_script_could_find_it_later(
    context: BrowserContext, live_site: LiveSite, member: str
) -> None:
    page = context.new_page()
    with page.expect_response("**/api/v1/auth/login") as signing_in:
        sign_in(page, member)
    tokens = signing_in.value.json()
    assert "refresh_token" not in tokens
    stored = page.evaluate(
        "async () => [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length]"
    )
    assert stored == [0, 0, 0]
    assert page.evaluate("document.cookie") == ""
    assert context.storage_state(indexed_db=True)["origins"] == []
    readable = page.content() + json.dumps(page.evaluate("[history.state, name, location.href, Object.keys(window)]"))
    assert tokens["access_token"] not in readable
    assert tokens["access_token"].split(".")[2] not in readable


@pytest.mark.asvs("3.3.2", "3.3.4")
def test_the_refresh_token_rides_in_a_cookie_that_goes_to_few_addresses_and_to_no_script(
    context: BrowserContext, live_site: LiveSite, app_page: Page
) -> None:
    cookie = refresh_cookie(context, live_site)
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/api/v1/auth")
    assert not [cookie for cookie in context.cookies(f"{live_site.url}/api/v1/me") if cookie["name"] == "refresh"]
    calls = asked(context, "/me")
    do(app_page, "load")
    assert "refresh=" not in (calls[0].header_value("cookie") or "")
    assert (calls[0].header_value("authorization") or "").startswith("Bearer ey")


def test_a_token_is_sent_to_addresses_of_the_api_alone(app_page: Page) -> None:
    refused = app_page.evaluate(
        """async addresses => {
            const {createSessionClient} = await import("/static/js/session-client.js");
            const sent = [];
            const client = createSessionClient({fetch: async (address, init) => {
                sent.push(address.href);
                return fetch(address, init);
            }});
            await client.resume();
            const outcomes = [];
            for (const address of addresses) {
                outcomes.push(await client.fetch(address).then(() => "sent", error => error.name));
            }
            client.close();
            return [outcomes, sent.map(href => new URL(href).pathname)];
        }""",
        ["https://elsewhere.example/api/v1/me", "../../account", "/%2e%2e/docs", "//elsewhere.example/me", "/me"],
    )
    assert refused == [
        ["TypeError", "TypeError", "TypeError", "ApiError", "sent"],
        ["/api/v1/auth/refresh", "/api/v1/elsewhere.example/me", "/api/v1/me"],
    ]


# Staying signed in


def test_a_page_that_is_loaded_anew_is_signed_in_by_the_cookie(
    app_page: Page, live_site: LiveSite, member: str
) -> None:
    before = session_id(app_page)
    app_page.reload()
    is_signed_in(app_page, member)
    assert session_id(app_page) == before
    assert happened(app_page)[0].startswith("You were still signed in")
    assert row(live_site, before)["end_reason"] is None


def test_a_browser_that_was_never_signed_in_is_told_of_no_ending(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(SPA)
    expect(page.locator("#signed-out")).to_be_visible()
    assert happened(page) == ["This browser was not signed in."]
    expect(page.locator(TOLD)).to_be_empty()


@pytest.mark.asvs("10.4.5")
def test_three_tabs_that_refresh_together_send_one_request_and_share_its_answer(
    context: BrowserContext, live_site: LiveSite, app_page: Page, member: str
) -> None:
    tabs = [app_page, *(open_tab(context, member) for _ in range(2))]
    sid = session_id(app_page)
    generation, requests = row(live_site, sid)["generation"], asked(context)
    with held_back(context, app_page):
        for tab in tabs:
            press(tab, "refresh")
    for tab in tabs:
        is_done(tab)
    assert len(requests) == 1
    assert row(live_site, sid) == {"generation": generation + 1, "end_reason": None}
    last = sorted(happened(tab)[-1].split()[0] for tab in tabs)
    assert last == ["Another", "Another", "The"], "one tab exchanged the tokens, the others heard of it"
    all_can_go_on(tabs, member)


@pytest.mark.asvs("10.4.5")
def test_two_tabs_that_cannot_take_turns_are_brought_together_by_the_server(
    new_context: NewContext, live_site: LiveSite, member: str
) -> None:
    """Two, whichever comes first. Of three, one may be two steps behind, which is what taking turns is for."""
    context = new_context()
    context.add_init_script("delete Navigator.prototype.locks; globalThis.BroadcastChannel = undefined;")
    tabs = [sign_in(context.new_page(), member), open_tab(context, member)]
    sid = session_id(tabs[0])
    generation = row(live_site, sid)["generation"]
    with held_back(context, tabs[0]) as held:
        for tab in tabs:
            press(tab, "refresh")
        rest_until(tabs[0], lambda: len(held) == len(tabs))
    for tab in tabs:
        is_done(tab)
        assert happened(tab)[-1] == "The tokens were exchanged for new ones."
    found = row(live_site, sid)
    assert found["end_reason"] is None
    assert generation < found["generation"] <= generation + len(tabs)
    all_can_go_on(tabs, member)


def test_tabs_that_are_opened_together_all_come_up_signed_in(
    context: BrowserContext, live_site: LiveSite, app_page: Page, member: str
) -> None:
    sid = session_id(app_page)
    app_page.goto("about:blank")
    tabs = [app_page, context.new_page(), context.new_page()]
    with held_back(context, app_page):
        for tab in tabs:
            tab.goto(SPA)
    for tab in tabs:
        is_signed_in(tab, member)
        assert session_id(tab) == sid
    assert row(live_site, sid)["end_reason"] is None


def test_a_sign_in_in_one_tab_reaches_the_others(context: BrowserContext, member: str) -> None:
    waiting = context.new_page()
    waiting.goto(SPA)
    expect(waiting.locator("#signed-out")).to_be_visible()
    other = sign_in(context.new_page(), member)
    is_signed_in(waiting, member)
    assert session_id(waiting) == session_id(other)


def test_being_offline_signs_nobody_out(context: BrowserContext, app_page: Page, member: str) -> None:
    context.set_offline(True)
    for deed in ("load", "refresh", "signOut"):
        press(app_page, deed)
        expect(app_page.locator(TOLD)).to_contain_text("could not be reached")
        expect(app_page.locator("#signed-in")).to_be_visible()
        app_page.locator(TOLD).evaluate("told => told.replaceChildren()")
    context.set_offline(False)
    for deed, sentence in (
        ("load", "The API answered who you are."),
        ("refresh", "The tokens were exchanged for new ones."),
    ):
        told = app_page.locator("#log li > p:first-child", has_text=sentence)
        before = told.count()
        do(app_page, deed)
        # One more at the least, and perhaps not the last: the refresh that was lost is asked for again by itself.
        rest_until(app_page, lambda told=told, before=before: told.count() > before)
    is_signed_in(app_page, member)


@pytest.mark.parametrize("by", ["itself", "its button"])
def test_a_page_that_was_loaded_as_the_network_went_comes_up_when_it_is_back(
    context: BrowserContext, app_page: Page, member: str, by: str
) -> None:
    context.route("**/api/v1/**", lambda route: route.abort())
    app_page.clock.install()
    app_page.reload()
    expect(app_page.locator("#unknown")).to_be_visible()
    expect(app_page.locator("#signed-out")).to_be_hidden()
    context.unroute("**/api/v1/**")
    if by == "itself":
        app_page.clock.run_for(2_000)
    else:
        press(app_page, "resume")
    is_signed_in(app_page, member)


def test_an_answer_that_was_lost_is_asked_for_again_before_the_server_forgets_it(
    context: BrowserContext, live_site: LiveSite, app_page: Page, member: str
) -> None:
    """Nobody presses anything: a page left open with a lost answer would be taken for a thief half a minute later."""
    sid, before = session_id(app_page), refresh_cookie(context, live_site)
    generation = row(live_site, sid)["generation"]

    def lose(route: Route) -> None:
        route.fetch()
        context.add_cookies([before])  # type: ignore[list-item]
        route.abort()

    app_page.clock.install()
    app_page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))  # two seconds pass below, and none before
    context.route(REFRESH, lose, times=1)
    press(app_page, "refresh")
    expect(app_page.locator(TOLD)).to_contain_text("could not be reached")
    assert row(live_site, sid)["generation"] == generation + 1
    with app_page.expect_response(REFRESH) as again:
        app_page.clock.run_for(2_000)
    assert again.value.status == 200
    expect(app_page.locator("#log li > p").first).to_have_text("The tokens were exchanged for new ones.")
    assert row(live_site, sid) == {"generation": generation + 1, "end_reason": None}
    assert refresh_cookie(context, live_site)["value"] != before["value"]
    is_signed_in(app_page, member)


@pytest.mark.parametrize(("status", "code"), [(503, "store_unavailable"), (429, "too_many_attempts")])
def test_a_site_that_is_busy_signs_nobody_out(
    context: BrowserContext, app_page: Page, member: str, status: int, code: str
) -> None:
    problem = json.dumps({"status": status, "code": code, "detail": "Please wait a little."})
    context.route(
        REFRESH,
        lambda route: route.fulfill(
            status=status, body=problem, content_type="application/problem+json", headers={"Retry-After": "60"}
        ),
        times=1,
    )
    press(app_page, "refresh")
    expect(app_page.locator(TOLD)).to_have_text("Please wait a little.")
    expect(app_page.locator("#log li .meta").first).to_contain_text(f"{status} {code}")
    do(app_page, "refresh")
    assert happened(app_page)[-1] == "The tokens were exchanged for new ones."
    is_signed_in(app_page, member)


def test_a_token_is_replaced_shortly_before_it_expires(context: BrowserContext, app_page: Page) -> None:
    app_page.clock.install()
    requests = asked(context)
    app_page.clock.fast_forward("09:00")
    do(app_page, "load")
    assert requests == []
    app_page.clock.fast_forward("00:45")
    do(app_page, "load")
    assert happened(app_page)[-2:] == ["The tokens were exchanged for new ones.", "The API answered who you are."]
    assert len(requests) == 1


GIVING_TOKENS = ("/api/v1/auth/login", "/api/v1/auth/refresh")


@pytest.fixture(scope="module")
def hasty_site(new_site: NewSite) -> LiveSite:
    """A site whose access tokens live for five seconds: shorter, a slow machine would not get to use a new one."""
    return new_site(RATELIMIT_ENABLED="0", JWT_ACCESS_SECONDS="5")


def test_a_call_with_a_token_that_has_expired_goes_on_by_itself(
    browser: Browser, new_context: NewContext, hasty_site: LiveSite
) -> None:
    context = new_context(base_url=hasty_site.url)
    page = context.new_page()
    page.clock.set_fixed_time("2026-11-25T09:00:00Z")  # a clock that stands still never finds a token to be old
    given: list[Response] = []  # on a slow machine the page may have refreshed by itself before it is signed in
    context.on("response", lambda answer: given.append(answer) if answer.url.endswith(GIVING_TOKENS) else None)
    sign_in(page, register(browser, hasty_site))
    headers = {"Authorization": f"Bearer {given[-1].json()['access_token']}"}
    wait_until(lambda: context.request.get("/api/v1/auth/session", headers=headers).status == 401)
    refreshes, calls = asked(context), asked(context, "/me")
    do(page, "load")
    assert happened(page)[-2:] == ["The tokens were exchanged for new ones.", "The API answered who you are."]
    statuses = [(call.response() or pytest.fail("no answer")).status for call in calls]
    assert (statuses, len(refreshes)) == ([401, 200], 1), "three calls were refused at once, and one refresh served all"


def test_a_refusal_that_a_new_token_does_not_cure_is_tried_once_more_and_no_further(
    context: BrowserContext, app_page: Page
) -> None:
    problem = json.dumps({"status": 401, "code": "token_invalid", "detail": "This token is not valid here."})
    refuse = {"status": 401, "body": problem, "content_type": "application/problem+json"}
    context.route("**/api/v1/me", lambda route: route.fulfill(**refuse))
    refreshes, calls = asked(context), asked(context, "/me")
    press(app_page, "load")
    expect(app_page.locator(TOLD)).to_have_text("This token is not valid here.")
    assert (len(calls), len(refreshes)) == (2, 1)
    expect(app_page.locator("#signed-in")).to_be_visible()


# Being signed out, and why


@pytest.mark.parametrize("door", ["api", "web"])
def test_a_session_that_was_ended_elsewhere_is_told_once_with_its_reason(
    context: BrowserContext, new_context: NewContext, live_site: LiveSite, app_page: Page, member: str, door: str
) -> None:
    sid = session_id(app_page)
    end_elsewhere(new_context().new_page(), member, sid, door)
    wait_until(lambda: row(live_site, sid)["end_reason"] == "ended_by_user")
    requests, before = asked(context), len(happened(app_page))
    app_page.clock.install()
    app_page.clock.fast_forward("09:45")  # whichever worker answers, it has heard: a refresh asks the row itself
    press(app_page, "load")
    is_signed_out(app_page, "This browser was signed out from another device.")
    assert happened(app_page)[before:] == ["This browser was signed out from another device."]
    expect(app_page.locator("#log li .meta").first).to_contain_text("session_revoked: ended_by_user")
    assert len(requests) == 1
    assert not [cookie for cookie in context.cookies(f"{live_site.url}/api/v1/auth") if cookie["name"] == "refresh"]
    app_page.reload()
    expect(app_page.locator("#signed-out")).to_be_visible()


def end_elsewhere(page: Page, email: str, sid: str, door: str) -> None:
    """End a session from another machine."""
    if door == "api":
        sign_in(page, email)
        page.evaluate(
            """async id => {
                const {createSessionClient} = await import("/static/js/session-client.js");
                const client = createSessionClient();
                await client.resume();
                await client.fetch(`/sessions/${id}`, {method: "DELETE"});
                client.close();
            }""",
            sid,
        )
        return
    page.goto("/login")
    send(page, email=email, password=PASSWORD)
    page.wait_for_url("**/account")
    page.goto("/account/sessions")
    page.locator(f"form[action='/account/sessions/{sid}/revoke'] button").click()
    page.wait_for_url("**/account/sessions")


def test_a_call_that_finds_its_session_ended_does_not_try_for_ever(
    context: BrowserContext, new_context: NewContext, app_page: Page, member: str
) -> None:
    sid = session_id(app_page)
    end_elsewhere(new_context().new_page(), member, sid, "api")
    refreshes, calls = asked(context), asked(context, "/me")
    # A worker that has not heard yet asks the row for /me: no second has to pass.
    press(app_page, "load")
    is_signed_out(app_page, "This browser was signed out from another device.")
    assert (len(calls), len(refreshes)) == (1, 1)


@pytest.mark.asvs("10.4.5")
def test_a_stolen_refresh_token_ends_the_session_and_the_app_says_so(
    context: BrowserContext, new_context: NewContext, live_site: LiveSite, app_page: Page
) -> None:
    stolen = refresh_cookie(context, live_site)["value"]
    for _ in range(2):
        do(app_page, "refresh")
    theft = new_context().request.post("/api/v1/auth/refresh", data={"refresh_token": stolen})
    assert theft.json()["code"] == "refresh_reused"
    press(app_page, "refresh")
    is_signed_out(app_page, "An old token of this sign-in was used again, as after a theft, so it was ended.")
    expect(app_page.locator("#log li .meta").first).to_contain_text("session_revoked: refresh_reused")


@pytest.mark.asvs("7.4.1")
@pytest.mark.parametrize("deed", ["signOut", "signOutEverywhere"])
def test_a_sign_out_in_one_tab_reaches_the_others(
    context: BrowserContext, live_site: LiveSite, app_page: Page, member: str, deed: str
) -> None:
    sid, other = session_id(app_page), open_tab(context, member)
    press(app_page, deed)
    for tab in (app_page, other):
        is_signed_out(tab, "You signed out.")
        assert happened(tab).count("You signed out.") == 1
    assert row(live_site, sid)["end_reason"] == "signed_out"
    other.reload()
    expect(other.locator("#signed-out")).to_be_visible()


def test_a_sign_out_ends_the_session_even_where_its_cookie_was_deleted(
    context: BrowserContext, live_site: LiveSite, app_page: Page
) -> None:
    sid = session_id(app_page)
    context.clear_cookies()
    press(app_page, "signOut")
    is_signed_out(app_page, "You signed out.")
    assert row(live_site, sid)["end_reason"] == "signed_out"


def test_another_person_in_another_tab_takes_the_place_of_the_first(
    browser: Browser, context: BrowserContext, live_site: LiveSite, app_page: Page, member: str
) -> None:
    bob = register(browser, live_site)
    other = open_tab(context, member)
    press(other, "signOut")
    is_signed_out(app_page, "You signed out.")
    first = sign_in(other, member)
    with held_back(context, first):
        press(first, "refresh")
    second = context.new_page()
    second.goto(SPA)
    second.evaluate(
        """async ([email, password]) => {
            const {createSessionClient} = await import("/static/js/session-client.js");
            const client = createSessionClient();
            await client.signIn({email, password});
            client.close();
        }""",
        [bob, PASSWORD],
    )
    for tab in (app_page, first, second):
        is_signed_in(tab, bob)
        assert member not in tab.locator("main").inner_text()
        assert happened(tab).count("You signed in again in this browser, so the earlier sign-in was ended.") == 1


def test_a_sign_in_that_is_too_old_is_told_and_ends_nothing(
    context: BrowserContext, new_context: NewContext, live_site: LiveSite, app_page: Page, member: str
) -> None:
    sid = session_id(app_page)
    sign_in(new_context().new_page(), member)
    with closing(sqlite3.connect(live_site.instance / "app.db", timeout=60)) as database, database:
        database.execute(
            "UPDATE login_sessions SET auth_time = '2026-01-01 00:00:00.000000' WHERE id = ?", [sid.replace("-", "")]
        )
    do(app_page, "load")
    requests = asked(context)
    app_page.locator("#sessions li", has_not=app_page.locator("[data-fact=current]:visible")).get_by_role(
        "button"
    ).first.click()
    expect(app_page.locator(TOLD)).to_contain_text("Please prove again who you are")
    expect(app_page.locator("#log li .meta").first).to_contain_text("401 reauthentication_required")
    assert requests == []
    is_signed_in(app_page, member)


def test_a_wrong_password_is_told_beside_the_form(page: Page, member: str) -> None:
    page.goto(SPA)
    page.fill("#email", member)
    page.fill("#password", NEW_PASSWORD)
    page.click("#sign-in [type=submit]")
    expect(page.locator(TOLD)).to_have_text("The email address or the password is not right.")
    expect(page.locator(TOLD)).to_be_focused()
    expect(page.locator("#email")).to_have_value(member)
    assert page.url.endswith(SPA)


# For everybody


def test_password_managers_know_the_fields(page: Page) -> None:
    page.goto(SPA)
    fields = page.locator("#sign-in input")
    known = dict(fields.evaluate_all("fields => fields.map(field => [field.name, field.autocomplete])"))
    assert known == {"email": "username", "password": "current-password"}


def test_without_javascript_the_page_says_that_it_needs_it(page_without_javascript: Page) -> None:
    page = page_without_javascript
    page.goto(SPA)
    expect(page.locator("noscript .notice")).to_be_visible()
    assert "This app needs JavaScript." in page.locator("noscript").evaluate("found => found.textContent")
    assert page.locator("button:visible, input:visible").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_sound_for_everybody_in_each_of_its_states(
    context: BrowserContext, page: Page, member: str, scheme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(SPA)
    expect(page.locator("#signed-out")).to_be_visible()
    faults = [("signed out", fault) for fault in faults_of(page)]
    sign_in(page, member)
    faults += [("signed in", fault) for fault in faults_of(page)]
    page.context.set_offline(True)
    press(page, "load")
    expect(page.locator(TOLD)).not_to_be_empty()
    page.context.set_offline(False)
    faults += [("offline", fault) for fault in faults_of(page)]
    press(page, "signOut")
    is_signed_out(page, "You signed out.")
    faults += [("signed out again", fault) for fault in faults_of(page)]
    assert faults == []


def faults_of(page: Page) -> list[str]:
    """What axe finds, and what sticks out at the width of a phone."""
    page.evaluate(AXE_SCRIPT)
    wide: list[str] = page.evaluate(RUN_AXE, {})
    size = page.viewport_size
    page.set_viewport_size(PHONE)
    narrow: list[str] = page.evaluate(RUN_AXE, {}) + page.evaluate(STICKING_OUT)
    assert size is not None
    page.set_viewport_size(size)
    return wide + narrow


def open_tab(context: BrowserContext, email: str) -> Page:
    """Another tab of the same browser."""
    page = context.new_page()
    page.goto(SPA)
    return is_signed_in(page, email)


def all_can_go_on(tabs: list[Page], email: str) -> None:
    """Every tab still calls the API, and refreshes when it likes."""
    for tab in tabs:
        for deed in ("refresh", "load"):
            do(tab, deed)
        expect(tab.locator(TOLD)).to_be_empty()
        is_signed_in(tab, email)
