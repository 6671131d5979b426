"""gunicorn starts as gunicorn.conf.py says, or stops with one clear line."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT_ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with an instance folder of its own and none of the variables the file reads."""
    ours = ("APP_ENV", "PUBLIC_URL", "SECRET_KEY", "BIND", "WEB_CONCURRENCY", "THREADS", "ANNOUNCE", "MAIL_URL")
    for name in (*ours, "GOOGLE_CLIENT_ID", "OIDC_PROVIDERS", "STAND_IN_PROVIDER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INSTANCE_PATH", str(tmp_path))
    return monkeypatch


def start_gunicorn() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0"]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("PUBLIC_URL", "login.example.com", "PUBLIC_URL: must be an address"),
        ("APP_ENV", "production", "SECRET_KEY must be set"),
        ("THREADS", "many", "THREADS: must be a whole number"),
        ("OIDC_PROVIDERS", "[{]", "OIDC_PROVIDERS: must be a JSON list"),
        ("WEB_CONCURRENCY", "0", "WEB_CONCURRENCY: Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(
    settings: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    settings.setenv(name, value)
    stopped = start_gunicorn()
    assert stopped.returncode != 0
    assert complaint in stopped.stderr
    assert len(stopped.stderr.splitlines()) == 1
    assert stopped.stdout == ""


@pytest.mark.asvs("12.3.3")
@pytest.mark.parametrize(
    ("public_url", "bind"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://localhost:5000", "localhost:5000"),
        ("http://[::1]:9000", "[::1]:9000"),
        ("https://login.example.com", "127.0.0.1:8000"),
        ("http://192.0.2.1:8000", "127.0.0.1:8000"),
    ],
)
def test_it_listens_on_the_public_address_only_where_that_is_this_machine(
    settings: pytest.MonkeyPatch, public_url: str, bind: str
) -> None:
    settings.setenv("PUBLIC_URL", public_url)
    assert runpy.run_path(str(PROJECT_ROOT / "gunicorn.conf.py"))["bind"] == bind


def test_gunicorn_itself_believes_no_forwarding_header(settings: pytest.MonkeyPatch) -> None:
    configuration = runpy.run_path(str(PROJECT_ROOT / "gunicorn.conf.py"))
    assert not configuration["forwarded_allow_ips"]
    assert not configuration["secure_scheme_headers"]
    assert not configuration["forwarder_headers"]


def test_the_secret_key_is_made_before_any_worker_starts(settings: pytest.MonkeyPatch) -> None:
    runpy.run_path(str(PROJECT_ROOT / "gunicorn.conf.py"))
    key = Path(os.environ["INSTANCE_PATH"]) / "secret_key"
    assert key.stat().st_mode & 0o777 == 0o600


def announced(settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **variables: str) -> str:
    """What `make run` prints when the site is ready."""
    for name, value in variables.items():
        settings.setenv(name, value)
    settings.setenv("ANNOUNCE", "1")
    runpy.run_path(str(PROJECT_ROOT / "gunicorn.conf.py"))["when_ready"](None)
    return capsys.readouterr().err


def test_a_newcomer_is_told_of_the_stand_in(settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in = {"STAND_IN_PROVIDER_URL": "http://127.0.0.1:9000", "STAND_IN_CLIENT_SECRET": "a secret"}
    told = announced(settings, capsys, **stand_in)
    assert "  The site:   http://127.0.0.1:8000\n" in told
    assert "a stand-in at http://127.0.0.1:9000" in told
    assert "a secret" not in told
    assert "stand-in" not in announced(settings, capsys, GOOGLE_CLIENT_ID="a-client")
    assert "stand-in" not in announced(settings, capsys, GOOGLE_CLIENT_ID="", STAND_IN_PROVIDER_URL="")
