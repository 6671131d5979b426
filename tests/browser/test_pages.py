"""Every page in every state, at a desk and on a phone, light and dark, English and Korean."""

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, ViewportSize

from tests.browser.conftest import DESKTOP, PHONE, NewContext
from tests.browser.household import named, settled
from tests.browser.providers import Providers
from tests.browser.tour import Stop, Visitor
from tests.servers.site import LiveSite

# Colours do not depend on the language, nor widths on the colours: the two languages share the four looks.
LOOKS: dict[str, list[tuple[ViewportSize, Literal["light", "dark"]]]] = {
    "en": [(PHONE, "light"), (DESKTOP, "dark")],
    "ko": [(PHONE, "dark"), (DESKTOP, "light")],
}
NARROW: ViewportSize = {"width": 320, "height": 640}  # WCAG 2.2, 1.4.10
# What can differ between one look and another. The rest is asked once a page.
BY_LOOK = {"runOnly": ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"]}

RUN_AXE = """async options => {
    const found = await axe.run(document, {resultTypes: ["violations"], iframes: false, ...options});
    return found.violations.map(({id, help, nodes}) => `${id}: ${help}: ${nodes.map(node => node.html).join(" | ")}`);
}"""

# Elements that stick out to the side, but for those in a list that scrolls by itself.
STICKING_OUT = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
    [...document.querySelectorAll("body *")]
        .filter(element => element.getBoundingClientRect().right > innerWidth && !element.closest(".side-nav"))
        .map(element => element.outerHTML.slice(0, 120))"""

SHAPE = """() => {
    const fields = [...document.querySelectorAll("main input:not([type=hidden], [hidden]), main select")];
    const summary = document.getElementById("error-summary");
    const order = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary")];
    return {
        language: document.documentElement.lang,
        title: document.title,
        headings: [...document.querySelectorAll("h1")].map(heading => heading.innerText.trim()),
        landmarks: document.querySelectorAll("main#main").length,
        unlabelled: fields.filter(field => !field.labels.length).map(field => field.name),
        unexplained: fields.filter(field => (field.getAttribute("aria-describedby") ?? "").split(" ")
            .some(id => id && !document.getElementById(id))).map(field => field.name),
        misplaced: order.filter(element => element.tabIndex > 0).length,
        first: order[0].className,
        summaryIsFocused: summary === null || document.activeElement === summary,
        summaryLeadsToFields: summary === null || [...summary.querySelectorAll("a")]
            .every(link => fields.some(field => `#${field.id}` === link.hash && field.ariaInvalid === "true")),
        calls: document.querySelectorAll("main .button-primary").length,
        kept: [localStorage.length, sessionStorage.length],
    };
}"""


@pytest.mark.asvs("14.2.3", "14.3.3")
@pytest.mark.timeout(900)  # more than a hundred pages, on a machine that may be busy
@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_page_is_sound_for_everybody(
    new_context: NewContext, live_site: LiveSite, providers: Providers, language: str
) -> None:
    context = new_context(base_url=named(live_site.url), locale=language, viewport=PHONE, reduced_motion="reduce")
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    with settled(live_site, providers, language) as household:
        visitor = Visitor(context, household, language)
        wrong = [f"{stop.name}: {fault}" for stop in visitor.tour() for fault in _faults(visitor.page, language, stop)]
    assert wrong == []
    assert [url for url in asked if not url.startswith((f"{named(live_site.url)}/", "data:"))] == []


def _faults(page: Page, language: str, stop: Stop) -> Iterator[str]:
    page.evaluate(AXE_SCRIPT)
    shape: dict[str, Any] = page.evaluate(SHAPE)
    expected = {
        "language": language,
        "landmarks": 1,
        "unlabelled": [],
        "unexplained": [],
        "misplaced": 0,
        "first": "skip",
        "summaryIsFocused": True,
        "summaryLeadsToFields": True,
        "kept": [0, 0],
    }
    yield from (f"{name} is {shape[name]}" for name, value in expected.items() if shape[name] != value)
    if len(shape["headings"]) != 1 or not shape["headings"][0] or " · " not in shape["title"]:
        yield f"headings {shape['headings']}, title {shape['title']!r}"
    if stop.name.startswith("trouble") and shape["calls"] != 1:
        yield f"{shape['calls']} things to do next"
    page.set_viewport_size(NARROW)
    yield from (f"{NARROW['width']}: sticks out: {element}" for element in page.evaluate(STICKING_OUT))
    for number, (size, scheme) in enumerate(LOOKS[language]):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        look = f"{size['width']} {scheme}"
        yield from (f"{look}: sticks out: {element}" for element in page.evaluate(STICKING_OUT))
        yield from (f"{look}: {violation}" for violation in page.evaluate(RUN_AXE, BY_LOOK if number else {}))
    page.set_viewport_size(PHONE)
