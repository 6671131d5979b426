"""A real browser against the real site. Without a browser these tests are skipped, except with CI=true."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

from tests.browser.chromium import NONE_FOUND, find_chromium
from tests.browser.providers import Providers, running_providers
from tests.servers.fixtures import NewSite
from tests.servers.site import LiveSite

# Nothing of the browser's own may call home: there is no network in the tests, and a refused call is noise.
LAUNCH_ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
PATIENCE = 30_000  # milliseconds
expect.set_options(timeout=PATIENCE)
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}

# Without a browser only the test that says so is collected, so that the report has one line about it.
WITHOUT_BROWSER = {"test_installed.py"}
collect_ignore = [
    file.name
    for file in Path(__file__).parent.glob("test_*.py")
    if file.name not in WITHOUT_BROWSER and find_chromium() is None
]

NewContext = Callable[..., BrowserContext]


@pytest.fixture(scope="session")
def providers() -> Iterator[Providers]:
    """Two OpenID providers, as the site of these tests knows them."""
    with running_providers() as providers:
        yield providers


@pytest.fixture(scope="session")
def live_site(new_site: NewSite, providers: Providers) -> LiveSite:
    """The site that these tests share, with two providers and sign-in by mail. Limits are off: everybody comes from one
    address.
    """
    site = new_site(RATELIMIT_ENABLED="0", MAILED_SIGN_IN="1", **providers.environment)
    providers.send_back_to(site)
    return site


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's program."""
    found = find_chromium()
    if found is None:
        pytest.skip(NONE_FOUND)
    return found


@pytest.fixture(scope="module")  # while it runs, its event loop stands in the way of every other in this thread
def browser(chromium: Path) -> Iterator[Browser]:
    """One running browser. Its contexts share nothing: each is another person's machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=LAUNCH_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def new_context(browser: Browser, live_site: LiveSite) -> Iterator[NewContext]:
    """Opens another person's browser on the site: new_context(java_script_enabled=False, locale="ko-KR").

    At the end of the test no page may have met a script error or something the content security policy refused.
    """
    complaints: list[str] = []
    with ExitStack() as stack:

        def start(**options: Any) -> BrowserContext:
            context = browser.new_context(
                **{"base_url": live_site.url, "viewport": DESKTOP, "locale": "en-GB"} | options
            )
            context.set_default_timeout(PATIENCE)
            context.on("console", lambda message: _note(message, complaints))
            context.on("weberror", lambda error: complaints.append(str(error.error)))
            stack.callback(context.close)
            return context

        yield start
    assert complaints == []


@pytest.fixture
def page(new_context: NewContext) -> Page:
    """A page of a browser with JavaScript."""
    return new_context().new_page()


@pytest.fixture
def page_without_javascript(new_context: NewContext) -> Page:
    """A page of a browser without JavaScript."""
    return new_context(java_script_enabled=False).new_page()


@pytest.fixture(params=[True, False], ids=["javascript", "no_javascript"])
def any_page(request: pytest.FixtureRequest, new_context: NewContext) -> Page:
    """A page with JavaScript, then one without: the test runs for both."""
    return new_context(java_script_enabled=request.param).new_page()


def _note(message: ConsoleMessage, complaints: list[str]) -> None:
    # The browser also reports every answer with a 4xx status, which refused forms have on purpose.
    if message.type == "error" and not message.text.startswith("Failed to load resource"):
        complaints.append(message.text)
