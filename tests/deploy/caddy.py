"""Caddy with the file that is deployed, before one site or several."""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from types import MappingProxyType

from tests.servers.ports import free_port
from tests.servers.process import ServerDirectory, ServerProcess
from tests.source import ROOT

_CADDY = Path(sys.executable).parent / "caddy"


class Caddy:
    """A running proxy. Its `url` has http, so that a test needs no certificate, or https with `tls`; the port for what
    comes without TLS is `plain_port`.
    """

    def __init__(self, *, tls: bool = False) -> None:
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}" if tls else f"http://127.0.0.1:{self.port}"
        self._folder = ServerDirectory()
        # Caddy's own authority, which it makes at the start for names like localhost.
        self.authority = self._folder.path / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        self._process: ServerProcess | None = None

    def start(self, upstreams: Sequence[str]) -> None:
        """Stand before these, each a host and a port, and return when the site answers."""
        environment = {
            **os.environ,
            **dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(self._folder.path)),
            "SITE_HOST": self.url.removesuffix(f":{self.port}") if self.url.startswith("https") else self.url,
            "HTTP_PORT": str(self.plain_port),
            "HTTPS_PORT": str(self.port) if self.url.startswith("https") else str(free_port()),
            "UPSTREAMS": " ".join(upstreams),
        }
        file = self._folder.path / "caddy.json"
        file.write_text(json.dumps(_on_this_machine(environment)), encoding="utf-8")
        self._process = ServerProcess(
            [_CADDY, "run", "--config", file],
            log=self._folder.path / "caddy.log",
            is_ready=self._is_ready,
            environment=environment,
        )
        self._process.start()

    def close(self) -> None:
        """Stop it and remove what it wrote."""
        if self._process is not None:
            self._process.stop()
        self._folder.remove()

    def _is_ready(self) -> bool:
        """Whether a site answers, through a certificate of ours where there is one to be had."""
        lines = [HTTPConnection("127.0.0.1", self.plain_port, timeout=60)]
        try:
            if self.url.startswith("https"):
                trust = ssl.create_default_context(cafile=self.authority)
                lines.append(HTTPSConnection("localhost", self.port, timeout=60, context=trust))
            for line in lines:
                line.request("GET", "/healthz")
                if line.getresponse().status != 200:
                    return False
            return True
        except OSError:
            return False
        finally:
            for line in lines:
                line.close()

    @property
    def log_text(self) -> str:
        """What it has printed so far."""
        return self._process.log_text if self._process is not None else ""

    def get(self, path: str, headers: Mapping[str, str] = MappingProxyType({})) -> int:
        """What somebody who asks for this page is answered."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()


def _on_this_machine(environment: dict[str, str]) -> dict[str, object]:
    """The deployed file, but that nothing of it is left on the machine and several may run beside each other."""
    command = [_CADDY, "adapt", "--config", ROOT / "deploy" / "Caddyfile", "--adapter", "caddyfile"]
    adapted = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    configuration: dict[str, object] = json.loads(adapted.stdout)
    configuration["admin"] = {"disabled": True}
    apps = configuration["apps"]
    assert isinstance(apps, dict)
    apps["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
    return configuration
