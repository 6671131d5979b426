"""Takes a picture of every page and every mail: `make shots`, or with a folder: `make shots ARGS=/some/folder`. And the
three of the README: `make shots ARGS=--readme`.

A real site, people in it who have lived there for weeks, English and Korean, light and dark, phone and desk.
"""

import argparse
import html
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.browser.chromium import NONE_FOUND, find_chromium
from tests.browser.conftest import DESKTOP, LAUNCH_ARGUMENTS, PHONE
from tests.browser.household import named, settled
from tests.browser.providers import Providers, running_providers
from tests.browser.tour import STOPS, Stop, Visitor
from tests.servers.site import PROJECT_ROOT, LiveSite

LANGUAGES = {"en": "en-GB", "ko": "ko-KR"}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PAGE_SIZES: dict[str, ViewportSize] = {"390": PHONE, "1280": DESKTOP}
README = PROJECT_ROOT / "docs" / "pictures"
MAIL_SIZES: dict[str, ViewportSize] = {"390": PHONE, "640": {"width": 640, "height": 800}}


def main() -> None:
    """Take the pictures that the arguments ask for."""
    parser = argparse.ArgumentParser(description="Takes a picture of every page and every mail.")
    parser.add_argument("folder", nargs="?", type=Path, default=PROJECT_ROOT / "instance" / "shots")
    parser.add_argument("--only", default="", metavar="TEXT", help="only pages whose name contains this")
    parser.add_argument("--language", choices=LANGUAGES, help="only in this language")
    parser.add_argument("--readme", action="store_true", help="the pictures of the README instead")
    chosen = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        parser.exit(1, f"{NONE_FOUND}\n")
    stops = [stop for stop in STOPS if chosen.only in stop.name]
    with running_providers() as providers, _site(providers) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=LAUNCH_ARGUMENTS)
        if chosen.readme:
            _shoot_for_readme(browser, site, providers)
            parser.exit(0, f"{README}\n")
        for language in [chosen.language] if chosen.language else LANGUAGES:
            _shoot(browser, site, providers, language, stops, chosen.folder)
            if "mail".startswith(chosen.only):
                _shoot_mails(browser, site, language, chosen.folder)
        browser.close()
    parser.exit(0, f"{chosen.folder}\n")


@contextmanager
def _site(providers: Providers) -> Iterator[LiveSite]:
    site = LiveSite(RATELIMIT_ENABLED="0", MAILED_SIGN_IN="1", **providers.environment)
    providers.send_back_to(site)
    try:
        yield site
    finally:
        site.close()


def _shoot(
    browser: Browser, site: LiveSite, providers: Providers, language: str, stops: list[Stop], folder: Path
) -> None:
    context = browser.new_context(
        base_url=named(site.url),
        locale=LANGUAGES[language],
        timezone_id="Asia/Seoul" if language == "ko" else "Europe/London",
        reduced_motion="reduce",
    )
    with settled(site, providers, language) as household:
        visitor = Visitor(context, household, language)
        for stop in stops:
            visitor.page.set_viewport_size(PHONE)
            visitor.go(stop)
            _shoot_page(visitor.page, PAGE_SIZES, folder / language, stop.name)
    context.close()


def _shoot_for_readme(browser: Browser, site: LiveSite, providers: Providers) -> None:
    """Signing in, the sessions at a desk by night, the same in Korean on a phone."""
    page = browser.new_page(base_url=named(site.url), locale=LANGUAGES["en"], viewport=DESKTOP)
    page.goto("/login")
    page.locator("form", has=page.get_by_role("button", name="Acme")).evaluate("form => form.remove()")
    page.screenshot(path=README / "sign-in.png")
    _shoot_sessions(browser, site, providers, "en", "dark", {"width": 1280, "height": 900}, README / "sessions.png")
    _shoot_sessions(browser, site, providers, "ko", "light", PHONE, README / "phone.png", scale=2)


def _shoot_sessions(
    browser: Browser,
    site: LiveSite,
    providers: Providers,
    language: str,
    scheme: Literal["light", "dark"],
    size: ViewportSize,
    file: Path,
    *,
    scale: int = 1,
) -> None:
    context = browser.new_context(
        base_url=named(site.url),
        locale=LANGUAGES[language],
        timezone_id="Asia/Seoul" if language == "ko" else "Europe/London",
        color_scheme=scheme,
        viewport=size,
        device_scale_factor=scale,
    )
    with settled(site, providers, language) as household:
        visitor = Visitor(context, household, language)
        visitor.go(next(stop for stop in STOPS if stop.name == "sessions"))
        visitor.page.screenshot(path=file)
    context.close()


def _shoot_mails(browser: Browser, site: LiveSite, language: str, folder: Path) -> None:
    page = browser.new_page()
    bodies = {
        str(mail["Subject"]): body.get_content()
        for mail in site.mails
        if mail["Content-Language"] == language and (body := mail.get_body(("html",)))
    }
    for number, (subject, body) in enumerate(bodies.items(), start=1):
        page.set_content(body.replace("<body", f"<!-- {html.escape(subject)} --><body", 1))
        _shoot_page(page, MAIL_SIZES, folder / language, f"mail-{number:02}")
    page.close()


def _shoot_page(page: Page, sizes: dict[str, ViewportSize], folder: Path, name: str) -> None:
    for width, size in sizes.items():
        page.set_viewport_size(size)
        # As high as the page, because a mail's frame is drawn only where it shows.
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": size["width"], "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", animations="disabled")


if __name__ == "__main__":
    main()
