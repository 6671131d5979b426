"""docs/clients.md is true: its code, as it stands there, takes good tokens and no other; its tables fit the API."""

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask

from tests.people import PASSWORD
from tests.rows import on_sqlite
from tests.servers.fixtures import NewSite
from tests.servers.process import wait_until
from tests.servers.site import PROJECT_ROOT, LiveSite
from webapp import clock
from webapp.ids import new_id
from webapp.policy.authorization import NONCE_LIFE
from webapp.policy.one_time import LIFE, Purpose
from webapp.policy.signing_keys import ANNOUNCED_FOR, CLOCK_SKEW, JWKS_MAX_AGE
from webapp.services.access_tokens import _CLAIMS
from webapp.services.key_ring import Key, KeyRing, new_private_key
from webapp.services.sealing import Sealer
from webapp.settings import Settings

CLIENTS = PROJECT_ROOT / "docs" / "clients.md"
EMAIL = "alice@example.com"

# Each line in is a command, each line out its answer; the clock of the keys can be put forward.
PYTHON_DRIVER = """
import json, sys, time
shift, monotonic = 0.0, time.monotonic
time.monotonic = lambda: monotonic() + shift
import jwt, verify
for line in sys.stdin:
    command, _, argument = line.rstrip("\\n").partition(" ")
    if command == "later":
        shift += float(argument)
        answer = "ok"
    else:
        try:
            answer = json.dumps(verify.verify(argument))
        except jwt.InvalidTokenError:
            answer = "401"
        except jwt.PyJWKClientConnectionError:
            answer = "503"
    print(answer, flush=True)
"""
NODE_DRIVER = """
import { createInterface } from "node:readline";
import { InvalidToken, KeysUnavailable, verify } from "./verify.mjs";
const now = performance.now.bind(performance);
let shift = 0;
performance.now = () => now() + shift;
for await (const line of createInterface({ input: process.stdin })) {
  const command = line.split(" ", 1)[0], argument = line.slice(command.length + 1);
  let answer = "ok";
  if (command === "later") shift += Number(argument) * 1000;
  else {
    try {
      answer = JSON.stringify(await verify(argument));
    } catch (error) {
      if (error instanceof InvalidToken) answer = "401";
      else if (error instanceof KeysUnavailable) answer = "503";
      else answer = `broke: ${error}`;
    }
  }
  console.log(answer);
}
"""


def block(language: str, holding: str) -> str:
    """The one block of code in a language that holds something."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", CLIENTS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (code,) = [code for code in found if holding in code]
    return str(code)


class Verifier:
    """Another service, which runs the code of the page and knows of us only where we are."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def verify(self, token: str) -> str:
        """The claims as JSON, or the status that the service would answer with."""
        return self._say(f"verify {token}")

    def accepts(self, token: str) -> bool:
        """Whether it takes the token; a refusal has to be a plain 401."""
        answer = self.verify(token)
        assert answer == "401" or answer.startswith("{"), answer
        return answer != "401"

    def later(self, by: timedelta) -> None:
        """Let time go by for the keys that it keeps."""
        assert self._say(f"later {by.total_seconds()}") == "ok"

    def _say(self, command: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")


@contextmanager
def running(command: list[str], folder: Path, url: str) -> Iterator[Verifier]:
    """A verifier, until the block ends."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "SITE": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Verifier(process)


NewVerifier = Callable[[str], Verifier]


@pytest.fixture(
    params=[
        "python",
        pytest.param(
            "node",
            marks=pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on this machine"),
        ),
    ]
)
def new_verifier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewVerifier]:
    """Starts the code of the page, in either language."""
    if request.param == "python":
        (tmp_path / "verify.py").write_text(block("python", "def verify("), encoding="utf-8")
        (tmp_path / "driver.py").write_text(PYTHON_DRIVER, encoding="utf-8")
        command = [sys.executable, "driver.py"]
    else:
        (tmp_path / "verify.mjs").write_text(block("js", "function verify("), encoding="utf-8")
        (tmp_path / "driver.mjs").write_text(NODE_DRIVER, encoding="utf-8")
        command = [shutil.which("node") or "node", "driver.mjs"]
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(running(command, tmp_path, url))


def post(site: LiveSite, path: str, body: dict[str, str]) -> dict[str, Any]:
    """Call the API as an app does."""
    connection = HTTPConnection(urlsplit(site.url).netloc, timeout=60)
    try:
        connection.request("POST", f"/api/v1{path}", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status < 300, text
        return json.loads(text) if text else {}
    finally:
        connection.close()


def sign_in(site: LiveSite) -> dict[str, Any]:
    """Alice's tokens; her account is made where there is none."""
    if not site.mails_to(EMAIL):
        with site.next_mail(EMAIL) as mail:
            post(site, "/auth/register", {"email": EMAIL, "password": PASSWORD})
        post(site, "/auth/email/verify", {"token": mail.link.rpartition("/")[2]})
    return post(site, "/auth/login", {"email": EMAIL, "password": PASSWORD})


@pytest.fixture(scope="module")
def site(new_site: NewSite) -> LiveSite:
    return new_site(RATELIMIT_ENABLED="0")


def key_of(site: LiveSite) -> Key:
    """The key that the site signs with: tokens that are right but for one thing need it."""
    engine = sa.create_engine(site.environment["DATABASE_URL"])
    try:
        sealer = Sealer((site.instance / "secret_key").read_text().strip())
        key = KeyRing(engine, sealer, token_life=timedelta(minutes=10)).find_signing()
    finally:
        engine.dispose()
    assert key is not None
    return key


class Forger:
    """Makes tokens that differ from good ones in just what is said."""

    def __init__(self, site: LiveSite) -> None:
        self.site = site
        self.key = key_of(site)

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(clock.now().timestamp())
        return {
            "iss": self.site.url,
            "aud": f"{self.site.url}/api",
            "sub": str(new_id()),
            "sid": str(new_id()),
            "jti": str(new_id()),
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "auth_time": now,
            "amr": ["pwd"],
            **changed,
        }

    def token(
        self,
        claims: dict[str, Any] | None = None,
        *,
        signer: EllipticCurvePrivateKey | bytes | None = None,
        algorithm: str = "ES256",
        **header: Any,
    ) -> str:
        headers = {"typ": "at+jwt", "kid": self.key.kid, **header}
        return jwt.encode(claims or self.claims(), signer or self.key.private, algorithm, headers=headers)

    def without(self, claim: str) -> str:
        claims = self.claims()
        del claims[claim]
        return self.token(claims)


def spoiled(token: str, part: int) -> str:
    """The token with one character of a part changed, in its middle."""
    parts = token.split(".")
    middle = len(parts[part]) // 2
    other = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + other + parts[part][middle + 1 :]
    return ".".join(parts)


def by_hand(header: dict[str, Any], token: str, signature: str) -> str:
    """A token with a header that no library would write."""
    first = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{first}.{token.split('.')[1]}.{signature}"


def broken_tokens(forger: Forger, refresh_token: str) -> dict[str, str]:
    """Tokens of which each is wrong in one way."""
    now = int(clock.now().timestamp())
    good, site = forger.token(), forger.site.url
    public = forger.key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = good.split(".")[2]
    header = {"alg": "ES256", "typ": "at+jwt", "kid": forger.key.kid}
    return {
        "no token": "nonsense",
        "two parts": good.rpartition(".")[0],
        "header is no object": by_hand([], good, signature),  # type: ignore[arg-type]
        "header changed": by_hand({**header, "alg": "RS256"}, good, signature),
        "claims changed": spoiled(good, 1),
        "signature changed": spoiled(good, 2),
        "no signature": good.rpartition(".")[0] + ".",
        "half a signature": good[: -len(signature) // 2],
        "alg none": by_hand({**header, "alg": "none"}, good, ""),
        "keyed with the public key": by_hand({**header, "alg": "HS256"}, good, signature),
        "another's key": forger.token(signer=new_private_key()),
        "unknown kid": forger.token(kid="x" * 43),
        "kid from outside": forger.token(kid="https://evil.example/key"),
        "no kid": by_hand({"alg": "ES256", "typ": "at+jwt"}, good, signature),
        "its own key": forger.token(signer=(own := new_private_key()), jwk=_jwk(own)),
        "jku": forger.token(jku="https://evil.example/jwks.json"),
        "crit": forger.token(crit=["exp"]),
        "typ JWT": forger.token(typ="JWT"),
        "no typ": forger.token(typ=None),
        "a refresh token": refresh_token,
        "HS256 under the PEM": _hs256(forger, public),
        "over for a minute": forger.token(forger.claims(exp=now - 60)),
        "not yet": forger.token(forger.claims(nbf=now + 120)),
        "made in the future": forger.token(forger.claims(iat=now + 120)),
        "another issuer": forger.token(forger.claims(iss="https://evil.example")),
        "another audience": forger.token(forger.claims(aud="https://other.example/api")),
        "one audience of several": forger.token(forger.claims(aud=[f"{site}/api", "https://other.example"])),
        **{f"no {claim}": forger.without(claim) for claim in sorted(_CLAIMS)},
    }


def _jwk(key: EllipticCurvePrivateKey) -> dict[str, Any]:
    return dict(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True))


def _hs256(forger: Forger, secret: bytes) -> str:
    """Signed with what everybody knows. The library refuses to make it, so it is made by hand."""
    signed = by_hand({"alg": "HS256", "typ": "at+jwt", "kid": forger.key.kid}, forger.token(), "").removesuffix(".")
    digest = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


# The code


@pytest.mark.asvs("9.1.1", "9.1.2", "9.1.3", "9.2.1", "9.2.3", "9.2.4")
def test_the_code_takes_a_token_of_the_site_and_nothing_that_is_wrong_in_one_way(
    site: LiveSite, new_verifier: NewVerifier
) -> None:
    tokens = sign_in(site)
    verifier, forger = new_verifier(site.url), Forger(site)
    claims = json.loads(verifier.verify(tokens["access_token"]))
    assert claims["sid"] == tokens["session_id"]
    assert claims.keys() == _CLAIMS
    assert verifier.accepts(forger.token()), "else the forgeries below would be refused for nothing"
    taken = [what for what, token in broken_tokens(forger, tokens["refresh_token"]).items() if verifier.accepts(token)]
    assert taken == []


def test_the_code_forgives_clocks_that_differ_a_little(site: LiveSite, new_verifier: NewVerifier) -> None:
    sign_in(site)
    verifier, forger = new_verifier(site.url), Forger(site)
    assert verifier.accepts(forger.token()), "so that it has started, and knows the keys"
    now, little = int(clock.now().timestamp()), int(CLOCK_SKEW.total_seconds()) // 2
    assert verifier.accepts(forger.token(forger.claims(exp=now - little)))
    assert verifier.accepts(forger.token(forger.claims(iat=now + little, nbf=now + little)))


def asked_for_keys(site: LiveSite) -> int:
    return site.log_text.count("endpoint=ops.jwks")


def test_the_code_keeps_the_keys_and_asks_again_for_one_it_does_not_know_but_not_each_time(
    site: LiveSite, new_verifier: NewVerifier
) -> None:
    token = sign_in(site)["access_token"]
    verifier, forger = new_verifier(site.url), Forger(site)
    before = asked_for_keys(site)
    assert all(verifier.accepts(token) for _ in range(5))
    assert not any(verifier.accepts(forger.token(kid=str(number) * 43)) for number in range(9))
    wait_until(lambda: asked_for_keys(site) > before)
    assert asked_for_keys(site) == before + 1
    verifier.later(timedelta(seconds=11))
    assert not any(verifier.accepts(forger.token(kid=str(number) * 43)) for number in range(9))
    wait_until(lambda: asked_for_keys(site) > before + 1)
    assert asked_for_keys(site) == before + 2
    verifier.later(JWKS_MAX_AGE)
    assert verifier.accepts(token)
    wait_until(lambda: asked_for_keys(site) > before + 2)


def test_the_code_works_on_while_the_site_is_away_and_finds_a_key_made_since_it_read_the_list(
    site: LiveSite, new_verifier: NewVerifier
) -> None:
    old = sign_in(site)["access_token"]
    verifier = new_verifier(site.url)
    assert verifier.accepts(old)
    site.flask("keys", "retire", jwt.get_unverified_header(old)["kid"])
    site.stop()
    assert verifier.accepts(old), "it has the key and asks nobody"
    site.start()
    new = sign_in(site)["access_token"]
    verifier.later(timedelta(seconds=11))
    assert verifier.accepts(new)
    assert not verifier.accepts(old), "its key went with the list"


def test_the_code_says_so_when_it_cannot_read_the_keys(site: LiveSite, new_verifier: NewVerifier) -> None:
    token = sign_in(site)["access_token"]
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        verifier = new_verifier(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert verifier.verify(token) == "503"


# The words


def test_the_times_it_tells_are_those_of_the_code() -> None:
    text = " ".join(CLIENTS.read_text(encoding="utf-8").split())
    settings = {name: info.default for name, info in Settings.model_fields.items()}
    assert (timedelta(minutes=5), timedelta(minutes=10)) == (JWKS_MAX_AGE, ANNOUNCED_FOR)
    assert "may be kept for five minutes. A new key is published ten minutes before it signs" in text
    assert settings["JWT_ACCESS"] == timedelta(minutes=10)
    assert "when the token expires: ten minutes at most" in text
    assert settings["JWT_REFRESH"] == timedelta(days=30)
    assert "The session lasts 30 days" in text
    assert settings["REFRESH_LEEWAY"] == timedelta(seconds=30)
    assert "at once and for 30 seconds at most" in text
    assert timedelta(seconds=30) == CLOCK_SKEW
    assert "fit your clock within 30 seconds" in text
    assert timedelta(seconds=60) == LIFE[Purpose.APP_CODE]
    assert "Exchange `code` within 60 seconds, once" in text
    assert timedelta(seconds=300) == NONCE_LIFE
    assert "It is good for 300 seconds" in text


@on_sqlite
def test_every_way_that_a_sign_in_a_refresh_and_a_call_may_be_refused_stands_in_the_table(app: Flask) -> None:
    paths = app.test_client().get("/api/v1/openapi.json").get_json()["paths"]
    calls = [
        *(("/auth/login", "post"), ("/auth/refresh", "post"), ("/me", "get")),
        ("/sessions/{login_session_id}", "delete"),
        *(("/auth/google/authorize", "get"), ("/auth/google/token", "post")),
        *(("/auth/google/nonce", "post"), ("/auth/google/id-token", "post")),
        *(("/auth/mfa", "post"), ("/auth/mfa/passkey", "post")),
        *(("/auth/passkey", "post"), ("/auth/passkey/options", "post"), ("/auth/reauthenticate", "post")),
    ]
    real = {
        (status, code)
        for path, method in calls
        for status, answer in paths[f"/api/v1{path}"][method]["responses"].items()
        for code in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    assert len(real) >= 15
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", CLIENTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(rows) == real
