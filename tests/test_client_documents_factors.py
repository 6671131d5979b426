"""docs/clients.md is true of second factors, too: its code, as it stands there, comes to its tokens with one."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factors import TOTP, Phone, secret_on
from tests.people import PASSWORD
from tests.servers.devices import SiteRows
from tests.servers.site import LiveSite
from tests.servers.test_gunicorn import new_person
from tests.test_client_documents import CLIENTS, block
from webapp.models import TotpFactor
from webapp.policy.second_factor import Method
from webapp.policy.sign_in import STEP_LIFE

EMAIL = "two-factors@example.com"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on this machine")

# Each line in is what the person does next: a sign-in with a password, or an answer to what is asked.
DRIVER = """
import { createInterface } from "node:readline";
import { signInFully } from "./page.mjs";
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => (await lines.next()).value ?? "";
const askPerson = async (methods) => {
  console.log(JSON.stringify(methods));
  const [method, code] = (await next()).split(" ");
  return { method, code };
};
for (let line = await next(); line; line = await next()) {
  const [email, ...password] = line.split(" ");
  try {
    console.log(JSON.stringify(await signInFully(process.env.SITE, email, password.join(" "), askPerson)));
  } catch (error) {
    console.log(`failed: ${error.message}`);
  }
}
"""


class Program:
    """An app that runs the code of the page."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def say(self, line: str) -> str:
        """Tell it something; its next line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")


@pytest.fixture
def page(live_site: LiveSite, tmp_path: Path) -> Iterator[Program]:
    (tmp_path / "page.mjs").write_text(block("js", "function signInFully("), encoding="utf-8")
    (tmp_path / "driver.mjs").write_text(DRIVER, encoding="utf-8")
    process = subprocess.Popen(
        [shutil.which("node") or "node", "driver.mjs"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "SITE": live_site.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Program(process)


def test_the_page_signs_in_with_and_without_a_second_factor(live_site: LiveSite, page: Program) -> None:
    person, rows = new_person(live_site, EMAIL), SiteRows(live_site)
    assert "refresh_token" in json.loads(page.say(f"{EMAIL} {PASSWORD}"))
    assert page.say(f"{EMAIL} not what was chosen here") == "failed: invalid_credentials"
    phone = Phone(secret_on(person.open(TOTP)[1]), rows)
    assert person.submit(TOTP, code=phone.code()) == 303
    rows.set(TotpFactor, {}, last_step=None)
    assert json.loads(page.say(f"{EMAIL} {PASSWORD}")) == ["totp"]
    assert json.loads(page.say("totp 12345")) == ["totp"], "a slip: the same sign-in goes on"
    assert "refresh_token" in json.loads(page.say(f"totp {phone.code()}"))


def test_the_times_and_methods_it_tells_are_those_of_the_code() -> None:
    text = " ".join(CLIENTS.read_text(encoding="utf-8").split())
    assert STEP_LIFE.total_seconds() == 600
    assert "The sign-in waits for ten minutes" in text
    told = re.search(r"with `mfa_token` and `methods`: some of (.*?)\.", text)
    assert told is not None
    assert set(re.findall(r"`(\w+)`", told[1])) == {method.value for method in Method}
