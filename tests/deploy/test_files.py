"""What an operator starts from: linted here, since no container engine runs where the tests do."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source import ROOT
from webapp.http.request_checks import HEALTH_PATHS

TOOLS = Path(sys.executable).parent
DEPLOY = ROOT / "deploy"


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_the_container_file_has_no_known_mistake() -> None:
    checked = run(str(TOOLS / "hadolint"), "Dockerfile")
    assert checked.returncode == 0, checked.stdout


def test_the_composition_has_no_known_mistake() -> None:
    checked = run(str(TOOLS / "compose-lint"), "compose.yaml")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("host", ["login.example.com", "http://127.0.0.1:8080"])
def test_caddy_takes_its_file(host: str, tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    command = (str(TOOLS / "caddy"), "validate", "--config", "deploy/Caddyfile", "--adapter", "caddyfile")
    checked = run(*command, SITE_HOST=host, UPSTREAMS="site-1:8000 site-2:8000", **home)
    assert checked.returncode == 0, checked.stderr


def test_what_runs_is_not_root_and_holds_only_what_it_needs() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    final = text[text.rindex("FROM ") :]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.M)
    assert "pip install" not in final
    assert "--require-hashes" in text
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {word for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M) for word in line.split()[:-1]}
    assert ignored[0] == "*"
    assert copied == kept


def test_no_file_of_secrets_is_committed() -> None:
    tracked = run("git", "ls-files", "deploy").stdout.split()
    assert [path for path in tracked if path.endswith(".env")] == []


@pytest.mark.parametrize("name", ["Caddyfile", "nginx.conf"])
def test_proxies_overwrite_what_visitors_claim_and_hide_what_is_for_operators(name: str) -> None:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    words = {
        "Caddyfile": ("header_up {} ", "header_up -Forwarded"),
        "nginx.conf": ("proxy_set_header {} $", 'Forwarded ""'),
    }
    sets, drops = words[name]
    for header in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Request-ID"):
        assert sets.format(header) in text, header
    assert drops in text
    for path in HEALTH_PATHS - {"/healthz"}:
        assert path.removeprefix("/") in text
