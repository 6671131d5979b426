"""Whether the tests in this folder can run on this machine."""

import os

import pytest

from tests.browser.chromium import NONE_FOUND, find_chromium


def test_a_browser_is_installed() -> None:
    if find_chromium() is None and os.environ.get("CI") != "true":
        pytest.skip(f"the browser tests did not run: {NONE_FOUND}")
    assert find_chromium(), NONE_FOUND
