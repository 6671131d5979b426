"""Signing in with a provider as people do it: the site, the provider and back, with JavaScript and without."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from stand_in.people import Person
from tests.browser.conftest import NewContext
from tests.browser.providers import Providers, running_providers
from tests.people import PASSWORD
from tests.servers.fixtures import NewSite
from tests.servers.site import LiveSite

SUBMIT = "main form:not([action]) button[type=submit]"
WITH_GOOGLE, WITH_ACME = "Continue with Google", "Continue with Acme"
CONNECTIONS, UNLINK = "/account/connections", "form[action='/account/connections/google/unlink'] button"


def somebody_new(providers: Providers, name: str = "Gwen Mailer", locale: str = "en") -> Person:
    """Somebody whom both providers know, and no site."""
    person = Person(uuid4().hex, f"{uuid4().hex}@example.com", f"{name} {uuid4().hex[:6]}", locale=locale)
    for provider in (providers.google, providers.acme):
        provider.people[person.sub] = person
    return person


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def choose(page: Page, person: Person) -> None:
    """At the provider: this one it is, be it one of many or whom it remembers."""
    page.locator(f"button[name=person][value='{person.sub}']").click()


def send(page: Page, **fields: str) -> None:
    for name, text in fields.items():
        page.fill(f"main [name={name}]", text)
    page.click(SUBMIT)


def come_in(page: Page, person: Person, start: str = "/login", button: str = WITH_GOOGLE) -> None:
    page.goto(start)
    press(page, button)
    choose(page, person)


def stands_at(page: Page, site: LiveSite, path: str, notice: str = "") -> None:
    expect(page).to_have_url(f"{site.url}{path}")
    if notice:
        expect(page.locator(".notice").first).to_contain_text(notice)


@pytest.mark.asvs("7.5.1", "6.8.1")
def test_from_the_first_visit_to_a_password_and_back_to_the_provider(
    any_page: Page, live_site: LiveSite, providers: Providers
) -> None:
    page, person = any_page, somebody_new(providers)
    with live_site.next_mail(person.email) as told:
        come_in(page, person, "/register")
    stands_at(page, live_site, "/account/welcome")
    assert "Google" in told.text
    expect(page.locator("h1")).to_have_text(f"Welcome, {person.name}")
    expect(page.locator("main .facts dd").first).to_have_text(person.email)
    page.click("main .button-primary")
    stands_at(page, live_site, "/account")

    page.click(f".side-nav a[href='{CONNECTIONS}']")
    page.click(UNLINK)
    expect(page.locator("#error-summary")).to_contain_text("the only way to sign in")
    expect(page.locator(".side-nav [aria-current=page]")).to_have_text("Connected accounts")
    page.click("main a[href='/account/password']")
    expect(page.locator("h1")).to_have_text("Choose a password")
    with live_site.next_mail(person.email):
        send(page, new_password=PASSWORD)
        stands_at(page, live_site, "/account", "You have a password now")
    page.goto(CONNECTIONS)
    with live_site.next_mail(person.email) as told:
        page.click(UNLINK)
        stands_at(page, live_site, CONNECTIONS, "Google was disconnected.")
    assert "disconnected" in told.subject
    page.locator("header form[action='/logout'] button").click()
    stands_at(page, live_site, "/")

    come_in(page, person)
    stands_at(page, live_site, "/login/google/connect")
    expect(page.locator("main .address")).to_have_text(person.email)
    send(page, password="not this one at all")
    expect(page.locator("#error-summary")).to_contain_text("not the password of that account")
    with live_site.next_mail(person.email) as told:
        send(page, password=PASSWORD)
        stands_at(page, live_site, CONNECTIONS, "Google is connected.")
    assert "was connected" in told.subject
    expect(page.locator(UNLINK)).to_be_visible()
    page.locator("header form[action='/logout'] button").click()

    come_in(page, person)
    stands_at(page, live_site, "/account")
    page.click(".side-nav a[href='/account/activity']")
    expect(page.locator(".timeline")).to_contain_text("Signed in with Google.")


def test_whoever_wanted_a_page_stands_at_it_afterwards(
    page_without_javascript: Page, live_site: LiveSite, providers: Providers
) -> None:
    person, wanted = somebody_new(providers), "/account/sessions"
    page_without_javascript.goto(wanted)
    press(page_without_javascript, WITH_GOOGLE)
    choose(page_without_javascript, person)
    stands_at(page_without_javascript, live_site, f"/account/welcome?next={wanted}")
    page_without_javascript.click("main .button-primary")
    stands_at(page_without_javascript, live_site, wanted)
    expect(page_without_javascript.locator(".rows")).to_contain_text("Google")


def test_whoever_cancels_is_told_that_nothing_was_done_and_led_back(any_page: Page, live_site: LiveSite) -> None:
    any_page.goto("/login?next=/account/data")
    press(any_page, WITH_GOOGLE)
    press(any_page, "Cancel")
    expect(any_page.locator("h1")).to_have_text("Nothing was done")
    any_page.click("main .button-primary")
    stands_at(any_page, live_site, "/login?next=/account/data")


def test_whoever_turns_back_at_the_provider_can_leave_again(
    page: Page, live_site: LiveSite, providers: Providers
) -> None:
    person = somebody_new(providers)
    for _ in range(3):
        page.goto("/login")
        press(page, WITH_GOOGLE)
        expect(page.locator(".people")).to_be_visible()
        page.go_back()
        expect(page.locator("#email")).to_be_visible()
    press(page, WITH_GOOGLE)
    choose(page, person)
    stands_at(page, live_site, "/account/welcome")


def test_a_way_back_that_is_opened_again_says_so_and_leads_on(
    page: Page, live_site: LiveSite, providers: Providers
) -> None:
    person = somebody_new(providers)
    page.goto("/login")
    press(page, WITH_GOOGLE)
    with page.expect_request("**/login/google/callback?*") as way_back:
        choose(page, person)
    stands_at(page, live_site, "/account/welcome")
    page.goto(way_back.value.url)
    expect(page.locator("h1")).to_have_text("This sign-in is over")
    page.click("main .button-primary")
    stands_at(page, live_site, "/account")
    page.locator("header form[action='/logout'] button").click()
    page.goto(way_back.value.url)
    press(page, "Try again with Google")
    choose(page, person)
    stands_at(page, live_site, "/account")


@pytest.mark.asvs("6.8.4", "7.5.1")
def test_a_provider_proves_again_who_one_is(
    page_without_javascript: Page, live_site: LiveSite, providers: Providers
) -> None:
    page, person = page_without_javascript, somebody_new(providers)
    come_in(page, person)
    page.goto("/reauthenticate?next=/account/password")
    expect(page.locator("main .address")).to_have_text(person.email)
    expect(page.locator("main [type=password]")).to_have_count(0)
    press(page, WITH_GOOGLE)
    expect(page.locator("h1")).to_contain_text("Sign in again")
    choose(page, person)
    stands_at(page, live_site, "/account/password")

    page.goto("/reauthenticate?next=/account/password")
    press(page, WITH_GOOGLE)
    choose(page, _another(page, providers))
    expect(page.locator("h1")).to_have_text("This is another account")
    page.click("main .button-primary")
    stands_at(page, live_site, "/reauthenticate?next=/account/password")


def _another(page: Page, providers: Providers) -> Person:
    """Somebody else of those whom the page offers."""
    page.wait_for_load_state()
    offered = page.locator(".person .address").last.inner_text()
    return next(person for person in providers.google.people.values() if person.email == offered)


def test_two_providers_open_one_account_and_the_other_proves_it_in_a_conflict(
    page: Page, live_site: LiveSite, providers: Providers
) -> None:
    person = somebody_new(providers)
    come_in(page, person, button=WITH_ACME)
    stands_at(page, live_site, "/account/welcome")
    page.locator("header form[action='/logout'] button").click()
    come_in(page, person)
    stands_at(page, live_site, "/login/google/connect")
    expect(page.locator("main [type=password]")).to_have_count(0)
    press(page, WITH_ACME)
    choose(page, person)
    stands_at(page, live_site, "/login/google/connect")
    press(page, "Connect")
    stands_at(page, live_site, CONNECTIONS, "Google is connected.")
    expect(page.locator(".rows .badge", has_text="Connected")).to_have_count(2)


def test_the_language_follows_the_person(
    page_without_javascript: Page, live_site: LiveSite, providers: Providers
) -> None:
    person = somebody_new(providers, "김서연", "ko")
    page_without_javascript.goto("/login")
    expect(page_without_javascript.locator("html")).to_have_attribute("lang", "en")
    with live_site.next_mail(person.email) as told:
        press(page_without_javascript, WITH_GOOGLE)
        choose(page_without_javascript, person)
        stands_at(page_without_javascript, live_site, "/account/welcome")
        expect(page_without_javascript.locator("html")).to_have_attribute("lang", "ko")
    assert str(told.message["Content-Language"]) == "ko"


@pytest.mark.asvs("6.2.7")
def test_password_managers_know_the_fields_of_these_pages(page: Page, providers: Providers) -> None:
    person = somebody_new(providers)
    come_in(page, person)
    page.goto("/account/password")
    assert autocomplete(page) == {"username": "username", "new_password": "new-password"}
    assert page.input_value("[name=username]") == person.email
    send(page, new_password=PASSWORD)
    page.goto(CONNECTIONS)
    page.click(UNLINK)
    page.locator("header form[action='/logout'] button").click()
    come_in(page, person)
    page.wait_for_load_state()
    assert autocomplete(page) == {"username": "username", "password": "current-password"}
    assert page.input_value("[name=username]") == person.email


def autocomplete(page: Page) -> dict[str, str]:
    """What the fields of the page's own form say of themselves."""
    fields = page.locator("main form:not([action]) input:is([type=email], [type=password], [type=text])")
    return dict(fields.evaluate_all("fields => fields.map(field => [field.name, field.autocomplete])"))


def test_the_buttons_stand_first_are_reached_by_keyboard_and_say_where_they_lead(
    page: Page, providers: Providers
) -> None:
    page.goto("/login")
    page.locator(".brand").focus()
    for name in (WITH_GOOGLE, WITH_ACME):
        page.keyboard.press("Tab")
        button = page.get_by_role("button", name=name, exact=True)
        expect(button).to_be_focused()
        assert button.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Tab")
    expect(page.locator("#email")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{providers.acme.issuer}/**")


@contextmanager
def a_provider_that_asks_elsewhere() -> Iterator[Providers]:
    """Its metadata names another origin for the page where people sign in, as some do."""
    with running_providers() as providers:
        google = providers.google
        google.app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]
        google.lie.metadata["authorization_endpoint"] = f"{google.issuer}/authorize".replace("127.0.0.1", "localhost")
        yield providers


@pytest.mark.asvs("3.4.3")
@pytest.mark.parametrize("has_script", [True, False], ids=["javascript", "no_javascript"])
def test_a_provider_whose_page_is_on_another_origin_is_reached_by_a_page_on_the_way(
    new_context: NewContext, new_site: NewSite, has_script: bool
) -> None:
    with a_provider_that_asks_elsewhere() as providers:
        site = new_site(RATELIMIT_ENABLED="0", **providers.environment)
        providers.send_back_to(site)
        page = new_context(java_script_enabled=has_script, base_url=site.url).new_page()
        person = somebody_new(providers)
        come_in(page, person)
        stands_at(page, site, "/account/welcome")
        site.close()


def test_a_provider_that_is_down_takes_nothing_else_down(page: Page, new_site: NewSite) -> None:
    with running_providers() as providers:
        site = new_site(RATELIMIT_ENABLED="0", **providers.environment)
    page.goto(f"{site.url}/login")
    press(page, WITH_GOOGLE)
    expect(page.locator("h1")).to_have_text("Google does not answer")
    page.click("main .button-primary")
    stands_at(page, site, "/login")
    expect(page.locator("#password")).to_be_visible()
    site.close()
