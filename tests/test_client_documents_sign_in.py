"""docs/clients.md is true of signing in with a provider, too: its code, as it stands there, comes to its tokens."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from stand_in.people import ELSEWHERE, GMAIL, Person
from tests.providers.lying import LyingProvider, with_query
from tests.providers.site import google_settings
from tests.servers.fixtures import NewSite
from tests.servers.site import LiveSite
from tests.test_client_documents import CLIENTS, block

APP_PAGE = "https://app.example.com/callback"
HAS_NODE = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on this machine")

# Says where it would open the browser, and then what came of it.
DESKTOP_DRIVER = """
import json, sys, webbrowser
webbrowser.open = lambda address: print(address, flush=True)
import desktop
desktop.PATIENCE = float(sys.argv[1])
try:
    print(json.dumps(desktop.sign_in(device_name="The desk")))
except desktop.SignInFailed as failure:
    print(f"failed: {failure}")
"""
# Each line in is a command, each line out its answer. What a browser has beside the language is put in its place.
NODE_DRIVER = """
import { createInterface } from "node:readline";
import { comeBack, leaveForProvider } from "./page.mjs";
import { signInBySdk } from "./phone.mjs";
const kept = new Map();
globalThis.sessionStorage = {
  setItem: (name, value) => kept.set(name, value),
  getItem: (name) => kept.get(name) ?? null,
  removeItem: (name) => kept.delete(name),
};
let left = "", shown = "";
globalThis.location = { search: "", pathname: "/callback", assign: (address) => { left = address; } };
globalThis.history = { replaceState: (state, title, address) => { shown = address; } };
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => (await lines.next()).value ?? "";
const askSdk = async (nonce) => { console.log(nonce); return await next(); };
const commands = {
  leave: async (redirectUri) => { await leaveForProvider(process.env.SITE, redirectUri); return left; },
  back: async (search) => {
    location.search = search;
    try {
      return JSON.stringify({ ...await comeBack(process.env.SITE), shown });
    } catch (error) {
      return `failed: ${error.message} ${shown}`;
    }
  },
  sdk: async (name) => {
    try {
      return JSON.stringify(await signInBySdk(process.env.SITE, askSdk, name));
    } catch (error) {
      return `failed: ${error.message} ${error.problem?.status}`;
    }
  },
};
for (let line = await next(); line; line = await next()) {
  const [command, argument] = [line.split(" ", 1)[0], line.slice(line.indexOf(" ") + 1)];
  console.log(await commands[command](argument));
}
"""


class Program:
    """A program that runs the code of the page, and knows of us only where we are."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def say(self, line: str) -> str:
        """Tell it something; its next line."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self.heard()

    def heard(self) -> str:
        """Its next line."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")


NewProgram = Callable[..., Program]


@pytest.fixture(scope="module")
def running_site(new_site: NewSite, _google_provider: LyingProvider) -> LiveSite:
    return new_site(
        **google_settings(_google_provider),
        RATELIMIT_ENABLED="0",
        API_REDIRECT_URIS=f"http://127.0.0.1/callback,{APP_PAGE}",
    )


@pytest.fixture
def site(running_site: LiveSite, provider: LyingProvider) -> LiveSite:
    client = replace(provider.client, redirect_uris=(f"{running_site.url}/login/google/callback",))
    provider.clients = {client.client_id: client}
    return running_site


@pytest.fixture
def new_program(site: LiveSite, tmp_path: Path) -> Iterator[NewProgram]:
    (tmp_path / "desktop.py").write_text(block("python", "def sign_in("), encoding="utf-8")
    (tmp_path / "page.mjs").write_text(block("js", "function comeBack("), encoding="utf-8")
    (tmp_path / "phone.mjs").write_text(block("js", "function signInBySdk("), encoding="utf-8")
    (tmp_path / "driver.py").write_text(DESKTOP_DRIVER, encoding="utf-8")
    (tmp_path / "driver.mjs").write_text(NODE_DRIVER, encoding="utf-8")
    with ExitStack() as stack:

        def start(*command: str) -> Program:
            process = subprocess.Popen(
                command,
                cwd=tmp_path,
                env={"PATH": os.environ["PATH"], "SITE": site.url},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            return Program(stack.enter_context(process))

        yield start


@pytest.fixture
def new_desktop(new_program: NewProgram) -> NewProgram:
    return lambda patience="300": new_program(sys.executable, "driver.py", patience)


@pytest.fixture
def page(new_program: NewProgram) -> Program:
    return new_program(shutil.which("node") or "node", "driver.mjs")


def led_back(provider: LyingProvider, address: str, person: Person | None = GMAIL) -> str:
    """Where the browser ends up that an app has opened at this address."""
    with requests.Session() as browser:
        sent = browser.get(address, allow_redirects=False, timeout=60)
        assert sent.status_code == 302, sent.text
        back = browser.get(provider.approve(sent.headers["Location"], person), allow_redirects=False, timeout=60)
        assert back.status_code == 303, back.text
        return str(back.headers["Location"])


def sessions_of(site: LiveSite, tokens: dict[str, Any]) -> list[dict[str, Any]]:
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    found: list[dict[str, Any]] = requests.get(f"{site.url}/api/v1/sessions", headers=bearer, timeout=60).json()
    return found


# A desktop


def test_the_desktop_comes_to_its_tokens_by_the_systems_browser(
    site: LiveSite, provider: LyingProvider, new_desktop: NewProgram
) -> None:
    desktop = new_desktop()
    back = led_back(provider, desktop.heard())
    assert back.startswith("http://127.0.0.1:")
    for stray in (
        with_query(back, {"state": "x" * 43}),
        with_query(back, {"state": "é"}),
        with_query(back, {"iss": "https://evil.example"}),
        back.replace("/callback?", "/other?"),
        back.partition("?")[0],
    ):
        assert requests.get(stray, timeout=60).status_code == 404, stray
    assert requests.get(back, timeout=60).status_code == 200
    tokens = json.loads(desktop.heard())
    (mine,) = [row for row in sessions_of(site, tokens) if row["current"]]
    assert (mine["device_name"], mine["methods"]) == ("The desk", ["google"])
    assert "refresh_token" in tokens


def test_the_desktop_hears_of_a_change_of_mind_and_of_nobody(provider: LyingProvider, new_desktop: NewProgram) -> None:
    desktop = new_desktop()
    assert requests.get(led_back(provider, desktop.heard(), None), timeout=60).status_code == 200
    assert desktop.heard() == "failed: access_denied"
    alone = new_desktop("0")
    alone.heard()
    assert alone.heard() == "failed: nobody came back"


def test_the_desktop_hears_the_code_of_a_refusal(
    site: LiveSite, provider: LyingProvider, new_desktop: NewProgram
) -> None:
    desktop = new_desktop()
    back = led_back(provider, desktop.heard())
    stolen = {"code": parse_qs(urlsplit(back).query)["code"][0], "code_verifier": "v" * 43, "redirect_uri": "x"}
    assert requests.post(f"{site.url}/api/v1/auth/google/token", json=stolen, timeout=60).status_code == 400
    requests.get(back, timeout=60)
    assert desktop.heard() == "failed: code_invalid"


# A page


@HAS_NODE
def test_the_page_goes_there_and_comes_back_to_its_tokens(provider: LyingProvider, page: Program) -> None:
    back = led_back(provider, page.say(f"leave {APP_PAGE}"))
    assert back.startswith(f"{APP_PAGE}?")
    search = back.removeprefix(APP_PAGE)
    tokens = json.loads(page.say(f"back {search}"))
    assert tokens["access_token"]
    assert "refresh_token" not in tokens, "it is in the cookie"
    assert tokens["shown"] == "/callback", "the code has left the address"
    assert page.say(f"back {search}") == "failed: not_begun_here /callback", "a page that is loaded anew asks nothing"


@HAS_NODE
def test_the_page_takes_nothing_that_it_did_not_ask_for(provider: LyingProvider, page: Program) -> None:
    """Mallory leads Alice's browser to the page with a code of Mallory's, so that she works in Mallory's account."""
    address = page.say(f"leave {APP_PAGE}")
    for stray in (
        "",
        "?code=x",
        "?code=x&state=x&iss=x",
        f"?code=x&state={parse_qs(urlsplit(address).query)['state'][0]}",
    ):
        assert page.say(f"back {stray}") == "failed: not_begun_here /callback"
    denied = led_back(provider, page.say(f"leave {APP_PAGE}"), None).removeprefix(APP_PAGE)
    assert page.say(f"back {denied}") == "failed: access_denied /callback"


# A phone


@HAS_NODE
def test_the_phone_comes_to_its_tokens_by_the_sdk(site: LiveSite, provider: LyingProvider, page: Program) -> None:
    nonce = page.say("sdk Gwen's phone")
    tokens = json.loads(page.say(provider.id_token(nonce=nonce)))
    (mine,) = [row for row in sessions_of(site, tokens) if row["current"]]
    assert (mine["device_name"], mine["methods"]) == ("Gwen's phone", ["google"])
    page.say("sdk Gwen's phone")
    assert page.say(provider.id_token(nonce=nonce)) == "failed: provider_answer_refused 401"


@HAS_NODE
def test_the_phone_hears_that_there_is_an_account_already(
    site: LiveSite, provider: LyingProvider, page: Program
) -> None:
    body = {"email": ELSEWHERE.email, "password": "seven quiet otters crossing"}
    with site.next_mail(ELSEWHERE.email) as mail:
        requests.post(f"{site.url}/api/v1/auth/register", json=body, timeout=60)
    token = {"token": mail.link.rpartition("/")[2]}
    assert requests.post(f"{site.url}/api/v1/auth/email/verify", json=token, timeout=60).status_code == 204
    nonce = page.say("sdk Alice's phone")
    assert page.say(provider.id_token(nonce=nonce, person=ELSEWHERE)) == "failed: account_exists 409"


# The words


def test_every_error_that_comes_back_to_an_app_stands_in_the_table() -> None:
    text = CLIENTS.read_text(encoding="utf-8")
    for error in ("access_denied", "temporarily_unavailable"):
        assert f"| `{error}` |" in text
