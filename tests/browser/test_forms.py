"""Forms as people and their password managers meet them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser.conftest import LAUNCH_ARGUMENTS
from tests.people import PASSWORD
from tests.servers.site import LiveSite

SUBMIT = "main form:not([action]) button[type=submit]"
COOKIES_BLOCKED = {"profile": {"default_content_setting_values": {"cookies": 2}}}

# What each form says about its fields, so that password managers fill and save the right thing.
AUTOCOMPLETE = {
    "/login": {"email": "username webauthn", "password": "current-password"},
    "/register": {"name": "name", "email": "username", "password": "new-password"},
    "/password/forgot": {"email": "username"},
    "{reset}": {"username": "username", "password": "new-password"},
    "/reauthenticate": {"username": "username", "password": "current-password"},
    "/account": {"name": "name"},
    "/account/password": {
        "username": "username",
        "current_password": "current-password",
        "new_password": "new-password",
    },
    "/account/email": {"email": "email"},
}


@pytest.fixture(scope="module")
def member(browser: Browser, live_site: LiveSite) -> str:
    """The address of a confirmed account."""
    email = f"{uuid4().hex}@example.com"
    page = browser.new_page(base_url=live_site.url, locale="en-GB")
    with live_site.next_mail(email) as mail:
        page.goto("/register")
        send(page, email=email, password=PASSWORD)
    page.goto(mail.link)
    send(page)
    expect(page).to_have_url(f"{live_site.url}/account")
    page.context.close()
    return email


def send(page: Page, **fields: str) -> None:
    """Fill in the page's own form and press its button."""
    for name, text in fields.items():
        page.fill(f"main [name={name}]", text)
    page.click(SUBMIT)


def sign_in(page: Page, email: str) -> None:
    page.goto("/login")
    send(page, email=email, password=PASSWORD)
    page.wait_for_url("**/account")


@pytest.mark.asvs("6.2.7")
def test_password_managers_know_every_field(page: Page, live_site: LiveSite, member: str) -> None:
    with live_site.next_mail(member, "/password/reset/") as mail:
        page.goto("/password/forgot")
        send(page, email=member)
    found = {}
    for path in AUTOCOMPLETE:
        if path == "/reauthenticate":
            sign_in(page, member)
        page.goto(path.format(reset=mail.link))
        fields = page.locator("main form:not([action]) input:is([type=email], [type=password], [type=text])")
        found[path] = dict(fields.evaluate_all("fields => fields.map(field => [field.name, field.autocomplete])"))
        if "username" in found[path]:
            assert page.input_value("[name=username]") == member
    assert found == AUTOCOMPLETE


@pytest.mark.asvs("6.2.6", "6.2.7")
def test_a_password_can_be_shown_by_keyboard_pasted_and_is_hidden_again_when_sent(page: Page) -> None:
    page.goto("/login")
    password, button = page.locator("#password"), page.locator(".reveal")
    page.fill("#email", "nobody@example.com")
    page.locator("#email").press("Control+a")
    page.keyboard.press("Control+c")
    password.press("Control+v")
    expect(password).to_have_value("nobody@example.com")
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(password).to_have_attribute("type", "text")
    expect(button).to_have_accessible_name("Hide password")
    expect(page.locator(".reveal + [role=status]")).to_have_text("Your password is shown")
    page.keyboard.press("Space")
    expect(password).to_have_attribute("type", "password")
    expect(button).to_have_accessible_name("Show password")
    page.keyboard.press("Space")
    page.evaluate("document.forms[0].addEventListener('submit', event => event.preventDefault())")
    password.press("Enter")
    expect(password).to_have_attribute("type", "password")


def test_however_often_the_button_is_pressed_one_form_is_sent(page: Page) -> None:
    sent: list[Request] = []
    page.context.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    page.goto("/login")
    page.fill("#email", "nobody@example.com")
    page.fill("#password", "wrong")
    button = page.locator(SUBMIT)
    # The answer goes to another tab, so that this page stays and its button can be pressed again.
    button.evaluate("button => button.form.target = '_blank'")
    with page.expect_popup() as answer:
        button.evaluate("button => { button.click(); button.click(); }")
    expect(button).to_be_disabled()
    button.evaluate("button => { button.click(); button.form.requestSubmit(); }")
    expect(answer.value.locator("#error-summary")).to_be_visible()
    assert len(sent) == 1


def test_after_a_download_its_button_can_be_pressed_again(page: Page, member: str) -> None:
    sign_in(page, member)
    page.clock.install()
    page.goto("/account/data")
    page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))  # three seconds pass below, and none before
    button = page.locator("form[action$=export] button")
    for _ in range(2):
        with page.expect_download():
            button.click()
        page.clock.run_for(100)
        expect(button).to_be_disabled()
        page.clock.run_for(3000)
        expect(button).to_be_enabled()


@pytest.mark.asvs("3.7.5")
def test_without_javascript_every_visible_button_sends_a_form(
    page_without_javascript: Page, live_site: LiveSite, member: str
) -> None:
    page = page_without_javascript
    sign_in(page, member)
    account = [path for path in AUTOCOMPLETE if path.startswith(("/account", "/reauth"))]
    for path in (*account, "/account/sessions", "/account/activity", "/account/data"):
        assert _idle_buttons(page, path) == []
    page.context.clear_cookies()
    for path in ("/login", "/register", "/password/forgot"):
        assert _idle_buttons(page, path) == []


def _idle_buttons(page: Page, path: str) -> list[str]:
    response = page.goto(path)
    assert response is not None
    assert response.status == 200
    assert page.locator("button:visible").count() > 0
    return page.locator("button:visible:not(form[method=post] button[type=submit])").all_inner_texts()


@pytest.mark.asvs("14.3.1")
def test_after_signing_out_going_back_shows_nothing_of_the_account(any_page: Page, member: str) -> None:
    page = any_page
    sign_in(page, member)
    for path in ("/account/email", "/account/sessions"):
        page.goto(path)
    with page.expect_response("**/logout") as answer:
        page.locator("header form[action='/logout'] button").click()
    assert answer.value.header_value("Clear-Site-Data") == '"cache"'
    page.wait_for_url("**/")
    for _ in range(3):
        page.go_back()
        expect(page.locator("#email")).to_be_visible()
        assert "/login?next=" in page.url
        assert member not in page.content()


@pytest.mark.asvs("14.3.1")
def test_a_page_kept_in_memory_is_asked_for_again_when_it_comes_back(page: Page, member: str) -> None:
    sign_in(page, member)
    page.goto("/account/email")
    other = page.context.new_page()
    other.goto("/account")
    other.locator("header form[action='/logout'] button").click()
    other.wait_for_url("**/")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    page.wait_for_url("**/login?next=/account/email")


def test_a_form_left_open_too_long_keeps_what_was_typed_but_no_password(any_page: Page) -> None:
    page, email = any_page, f"{uuid4().hex}@example.com"
    page.goto("/register")
    page.context.clear_cookies()
    send(page, name="김하늘", email=email, password=PASSWORD)
    expect(page.locator(".code")).to_have_text("400")
    expect(page.locator("dd")).to_have_text([email, "김하늘"])
    assert PASSWORD not in page.content()
    page.locator("main form button").click()
    expect(page.locator("#email")).to_have_value(email)
    expect(page.locator("#name")).to_have_value("김하늘")
    expect(page.locator("#password")).to_have_value("")
    send(page, password=PASSWORD)
    expect(page.locator(".address")).to_have_text(email)


@pytest.mark.asvs("3.7.5")
def test_a_browser_that_keeps_no_cookies_is_told_so(
    browser: Browser, chromium: Path, live_site: LiveSite, tmp_path: Path
) -> None:
    preferences = tmp_path / "Default" / "Preferences"
    preferences.parent.mkdir()
    preferences.write_text(json.dumps(COOKIES_BLOCKED))
    context = browser.browser_type.launch_persistent_context(
        tmp_path, executable_path=chromium, args=LAUNCH_ARGUMENTS, base_url=live_site.url, locale="en-GB"
    )
    with context:
        page = context.pages[0]
        page.goto("/login")
        assert context.cookies() == []
        send(page, email="alice@example.com", password=PASSWORD)
        expect(page.locator("main")).to_contain_text("your browser keeps no cookies of this site")


def test_the_summary_of_errors_is_focused_and_leads_into_the_fields(page: Page) -> None:
    page.goto("/register")
    send(page)
    summary = page.locator("#error-summary")
    expect(summary).to_be_focused()
    expect(page).to_have_title("Error: Create your account · Doorway")
    summary.get_by_role("link").first.click()
    expect(page.locator("#email")).to_be_focused()
    expect(page.locator("#email")).to_have_accessible_description(
        "We send a link there to confirm that it is yours. Error: Please enter your email address."
    )
