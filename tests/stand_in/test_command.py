"""python -m stand_in -- COMMAND: what the command gets, and how the two end together."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stand_in.__main__ import chosen_port
from stand_in.server import listen

ROOT = Path(__file__).resolve().parents[2]
FETCH = """
import json, os, urllib.request
url = os.environ["STAND_IN_PROVIDER_URL"]
print(json.dumps(json.load(urllib.request.urlopen(url + "/.well-known/openid-configuration"))))
"""
WAIT_FOR_SIGNALS = """
import signal, sys
signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
print("ready", flush=True)
print(signal.sigwait(signals).name, flush=True)
again = signal.sigtimedwait(signals, 0.3)
print("again" if again else "once", flush=True)
sys.exit(40)
"""


def environment(**values: str) -> dict[str, str]:
    ours = ("APP_ENV", "PUBLIC_URL", "SITE_NAME", "API_REDIRECT_URIS", "STAND_IN_PORT", "STAND_IN_CLIENT_SECRET")
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "STAND_IN_PORT": "0", **values}


def stand_in(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What came of a command beside the stand-in."""
    whole = [sys.executable, "-m", "stand_in", "--", *command]
    return subprocess.run(
        whole, cwd=ROOT, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def waiting(*wrapper: str) -> Iterator[subprocess.Popen[str]]:
    """The stand-in beside a command that waits for a signal and says which it got."""
    command = [*wrapper, sys.executable, "-m", "stand_in", "--", sys.executable, "-c", WAIT_FOR_SIGNALS]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().strip() == "ready"
            yield process
        finally:
            process.kill()


def test_the_command_finds_the_provider_in_its_environment() -> None:
    ended = stand_in(sys.executable, "-c", FETCH)
    assert ended.returncode == 0, ended.stderr
    metadata = json.loads(ended.stdout)
    assert metadata["issuer"].startswith("http://127.0.0.1:")
    assert ended.stderr == ""


def test_the_secret_is_new_at_every_start_unless_it_is_given() -> None:
    tell = (sys.executable, "-c", "import os; print(os.environ['STAND_IN_CLIENT_SECRET'])")
    first, second = stand_in(*tell).stdout, stand_in(*tell).stdout
    assert first != second
    assert len(first.strip()) >= 43
    assert stand_in(*tell, STAND_IN_CLIENT_SECRET="given").stdout == "given\n"


@pytest.mark.parametrize(
    ("public_url", "variable", "port"),
    [
        ("http://127.0.0.1:8000", "", 9000),
        ("http://localhost:5000", "", 6000),
        ("http://localhost", "", 1080),
        ("https://site.test", "", 1443),
        ("http://127.0.0.1:65000", "", 64000),
        ("http://127.0.0.1:8000", "9123", 9123),
    ],
)
def test_the_port_is_the_same_at_every_start(public_url: str, variable: str, port: int) -> None:
    assert chosen_port({"STAND_IN_PORT": variable}, public_url) == port


# How it does not start


def only_line(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    return ended.stderr


@pytest.mark.parametrize("value", ["production", "PRODUCTION", " production "])
def test_it_does_not_start_in_production(value: str) -> None:
    assert "APP_ENV is production" in only_line(stand_in("echo", "started", APP_ENV=value))


def test_a_port_that_is_taken_ends_the_start_with_one_line() -> None:
    with listen() as taken:
        port = str(taken.getsockname()[1])
        line = only_line(stand_in("echo", "started", STAND_IN_PORT=port))
    assert port in line
    assert "STAND_IN_PORT" in line


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"STAND_IN_PORT": "many"}, "STAND_IN_PORT"),
        ({"STAND_IN_PORT": "70000"}, "STAND_IN_PORT"),
        ({"STAND_IN_PORT": "", "PUBLIC_URL": "http://127.0.0.1:no"}, "PUBLIC_URL"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_one_line(variables: dict[str, str], complaint: str) -> None:
    assert complaint in only_line(stand_in("echo", "started", **variables))


def test_a_command_that_does_not_exist_ends_the_start_with_one_line() -> None:
    assert "no-such-command" in only_line(stand_in("no-such-command"))


# How it ends


def test_it_ends_with_the_exit_code_of_the_command() -> None:
    assert stand_in("sh", "-c", "exit 7").returncode == 7
    assert stand_in("sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_command(number: signal.Signals) -> None:
    with waiting() as process:
        process.send_signal(number)
        told, _ = process.communicate(timeout=100)
        assert told.split() == [number.name, "once"]
        assert process.returncode == 40


def test_ctrl_c_at_a_terminal_reaches_the_command_once() -> None:
    terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    with waiting(sys.executable, "-c", terminal) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("\x03")
        process.stdin.flush()
        told = process.stdout.read().replace("^C", "")
        assert told.split() == ["SIGINT", "once"]
        assert process.wait(timeout=100) == 40
