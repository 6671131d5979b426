"""Which browser on this machine the browser tests use. Run as a program it prints the path, or says there is none."""

import os
import shutil
import sys
from pathlib import Path

NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
NONE_FOUND = "no Chromium or Chrome is installed (or set CHROMIUM to the path of one)"


def find_chromium() -> Path | None:
    """The path of $CHROMIUM where it is set, else of the first known browser, else None."""
    chosen = os.environ.get("CHROMIUM")
    for name in (chosen,) if chosen else NAMES:
        if found := shutil.which(name):
            return Path(found)
    return None


if __name__ == "__main__":
    chromium = find_chromium()
    sys.exit(NONE_FOUND) if chromium is None else print(chromium)
