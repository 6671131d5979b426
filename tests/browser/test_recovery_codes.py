"""An authenticator app and recovery codes in a real browser: the content security policy lets all of it be seen, kept
and printed.
"""

from pathlib import Path
from uuid import uuid4

import pyotp
import pytest
from playwright.sync_api import Page, expect

from tests.people import PASSWORD
from tests.servers.site import LiveSite

SUBMIT = "main form:not([action]) button[type=submit]"


def new_account(page: Page, live_site: LiveSite) -> None:
    """Somebody who has just confirmed their address, and so is signed in."""
    email = f"{uuid4().hex}@example.com"
    page.goto("/register")
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    with live_site.next_mail(email) as mail:
        page.click(SUBMIT)
    page.goto(mail.link)
    page.click(SUBMIT)


@pytest.mark.asvs("3.4.3")
def test_an_app_is_set_up_and_its_codes_are_kept(any_page: Page, live_site: LiveSite, tmp_path: Path) -> None:
    page = any_page
    new_account(page, live_site)
    page.goto("/account/security/totp")
    box = page.locator("svg.qr").bounding_box()
    assert box
    assert min(box["width"], box["height"]) >= 120, "large enough to be scanned"
    page.fill("[name=code]", pyotp.TOTP(page.locator("code.secret").inner_text()).now())
    page.click(SUBMIT)
    page.click(SUBMIT)
    expect(page.locator("code.recovery-code")).to_have_count(10)
    codes = page.locator("code.recovery-code").all_inner_texts()

    with page.expect_download() as downloading:
        page.click("a[download]")
    kept = tmp_path / "codes.txt"
    downloading.value.save_as(kept)
    assert downloading.value.suggested_filename == "recovery-codes.txt"
    assert kept.read_text(encoding="utf-8").split() == codes

    page.emulate_media(media="print")
    for code in codes:
        expect(page.get_by_text(code)).to_be_visible()
    expect(page.locator("a[download]")).to_be_hidden()
