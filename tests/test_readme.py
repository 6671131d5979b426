"""The README's shell is run as it stands, against a site that was just made: what a newcomer pastes works."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.site import KEPT_FROM_OUTSIDE, PROJECT_ROOT, LiveSite

HEADING = "The API by hand"
NEEDS_CURL = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")


def walk() -> str:
    """Every block of shell under the heading, one after the other, as somebody pastes them."""
    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {HEADING}\n(.*?)^## ", readme, re.MULTILINE | re.DOTALL)
    assert section is not None, f"README.md has no section {HEADING}"
    blocks = re.findall(r"^```sh\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4, "an account, a sign-in, a refresh, a sign-out"
    return "".join(blocks)


def pasted(site: LiveSite, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a plain shell makes of it, from a folder of its own; the first step that fails ends it."""
    outside = {name: value for name, value in site.environment.items() if name in KEPT_FROM_OUTSIDE}
    return subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=folder,
        env={**outside, "SITE": site.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@NEEDS_CURL
def test_the_walk_through_the_api_works_as_it_stands(live_site: LiveSite, tmp_path: Path) -> None:
    result = pasted(live_site, walk(), tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    accepted, me, sessions, refused = result.stdout.splitlines()
    assert '"message"' in accepted
    assert '"email_verified":true' in me
    assert '"device_name":"curl"' in sessions
    assert '"code":"session_revoked"' in refused
    assert list(tmp_path.iterdir()) == [], "nothing is left on the newcomer's disk"


@NEEDS_CURL
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("/auth/register", "/auth/registration"),
        ("/auth/email/verify -d", "/auth/email/verify -X PUT -d"),
        ("/auth/login", "/auth/log-in"),
        ('"$TOKENS" | field access_token', '"$TOKENS" | field no_token'),
        ('"$TOKENS" | field refresh_token', '"$TOKENS" | field access_token'),
        ("/auth/logout", "/auth/log-out"),
    ],
)
def test_the_walk_ends_at_a_step_that_fails(live_site: LiveSite, tmp_path: Path, right: str, wrong: str) -> None:
    """Else the test above would say nothing."""
    script = walk()
    assert right in script
    assert pasted(live_site, script.replace(right, wrong), tmp_path).returncode != 0
