"""The environment is read once; what the site cannot run with stops the start, in one line that repeats no value."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NewApp
from tests.people import Browser, Mailbox
from webapp import secret_key
from webapp.http.visitor_cookie import VisitorCookie
from webapp.services.sealing import KEY_LENGTH
from webapp.settings import PROJECT_ROOT, Settings, SettingsError

RANDOM_KEY = "Vq3nXr8sLd0wYb7uKc5JtF1gMe9aZh2P"
OTHER_KEY = "a7Zk2Pq9Lm4Xv8Rt1Yc6Wn3Bs5Dg0HjE"
PRODUCTION = {"APP_ENV": "production", "PUBLIC_URL": "https://login.example.com", "SECRET_KEY": RANDOM_KEY}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours is set, and the instance folder is the test's."""
    for name in [name for name in os.environ if name in Settings.model_fields or name.endswith("_SECONDS")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("INSTANCE_PATH", str(tmp_path / "instance"))


def settings_with(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Settings.from_env()


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("APP_ENV", "development"),
        ("PUBLIC_URL", "http://127.0.0.1:8000"),
        ("SECRET_KEY_FALLBACKS", ()),
        ("DATABASE_URL", "sqlite:///instance/app.db"),
        ("REDIS_URL", ""),
        ("MAIL_URL", "file:instance/mail"),
        ("SESSION_IDLE", timedelta(hours=1)),
        ("SESSION_ABSOLUTE", timedelta(hours=24)),
        ("REMEMBER_IDLE", timedelta(days=14)),
        ("REMEMBER_ABSOLUTE", timedelta(days=30)),
        ("PASSWORD_MIN_LENGTH", 15),
        ("ARGON2_TIME_COST", 2),
        ("ARGON2_MEMORY_KIB", 19456),
        ("ARGON2_PARALLELISM", 1),
        ("TRUSTED_PROXIES", 0),
        ("RATELIMIT_ENABLED", True),
        ("THREADS", 8),
    ],
)
def test_what_nobody_sets_has_its_documented_default(field: str, default: object) -> None:
    assert getattr(Settings.from_env(), field) == default


MARK = "Xyzzy"  # stands in every wrong value, and must stand in no complaint

WRONG = [
    ("APP_ENV", MARK),
    ("PUBLIC_URL", f"login.{MARK}.example"),
    ("PUBLIC_URL", f"https://login.example.com/{MARK}"),
    ("PUBLIC_URL", f"https://login.example.com:{MARK}"),
    ("PUBLIC_URL", f"ftp://{MARK}.example"),
    ("DATABASE_URL", f"mysql://{MARK}@db/app"),
    ("DATABASE_URL", f"postgresql://app:{MARK}@db:port/app"),
    ("DATABASE_URL", f"postgresql://app:{MARK}@[::1/app"),
    ("DATABASE_URL", "sqlite:///:memory:"),
    ("DATABASE_URL", "sqlite://"),
    ("REDIS_URL", f"http://{MARK}"),
    ("REDIS_URL", f"redis://:{MARK}@cache:port/0"),
    ("REDIS_URL", f"redis://cache/0?socket_timeout={MARK}"),
    ("MAIL_URL", f"mailto:{MARK}"),
    ("MAIL_URL", "file:"),
    ("MAIL_FROM", f"{MARK}\nBcc: everybody@example.com"),
    ("SITE_NAME", MARK * 20),
    ("SESSION_IDLE_SECONDS", MARK),
    ("SESSION_IDLE_SECONDS", "0"),
    ("SESSION_IDLE_SECONDS", "-60"),
    ("SESSION_IDLE_SECONDS", "1.5"),
    ("SESSION_IDLE_SECONDS", "9" * 30),
    ("SESSION_IDLE_SECONDS", "86401"),
    ("SESSION_ABSOLUTE_SECONDS", "3599"),
    ("REMEMBER_IDLE_SECONDS", str(31 * 86400)),
    ("DATABASE_TIMEOUT_SECONDS", MARK),
    ("PASSWORD_MIN_LENGTH", "7"),
    ("PASSWORD_MIN_LENGTH", MARK),
    ("ARGON2_TIME_COST", "0"),
    ("ARGON2_MEMORY_KIB", MARK),
    ("ARGON2_PARALLELISM", "0"),
    ("TRUSTED_PROXIES", "-1"),
    ("TRUSTED_PROXIES", f"1 {MARK}"),
    ("THREADS", "0"),
    ("RATELIMIT_ENABLED", MARK),
    ("LOG_LEVEL", MARK),
    ("SECURITY_CONTACT", f"http://{MARK}.example"),
]


def assert_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """One line that names the variable and repeats nothing of its value."""
    with pytest.raises(SettingsError) as refusal:
        settings_with(monkeypatch, **{name: value})
    complaint = str(refusal.value)
    assert name.removesuffix("_FALLBACKS") in complaint
    assert MARK not in complaint
    assert RANDOM_KEY not in complaint
    assert len(complaint.splitlines()) == 1
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__  # or a traceback would show what the validation saw


@pytest.mark.asvs("6.2.1")
@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_told_in_one_line_by_name_and_never_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert_refused(monkeypatch, name, value)


@pytest.mark.asvs("11.2.3", "13.2.3", "13.4.2")
@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": "dev"}, "SECRET_KEY"),
        ({"SECRET_KEY": RANDOM_KEY[:31]}, "32 characters"),
        ({"SECRET_KEY": "change-me-change-me-change-me-now"}, "SECRET_KEY must be random"),
        ({"SECRET_KEY": "Your-Secret-Key-of-forty-characters-here"}, "SECRET_KEY must be random"),
        ({"SECRET_KEY_FALLBACKS": "x" * 31}, "32 characters"),
        ({"PUBLIC_URL": "http://login.example.com"}, "PUBLIC_URL must begin with https:"),
        ({"PUBLIC_URL": ""}, "PUBLIC_URL must begin with https:"),
        ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG"),
        ({"DATABASE_URL": "postgresql://app:changeme@db/app"}, "DATABASE_URL"),
    ],
)
def test_production_refuses_an_unsafe_start(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint) as refusal:
        settings_with(monkeypatch, **{**PRODUCTION, **changed})
    assert "\n" not in str(refusal.value)


def test_production_starts_where_all_is_safe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = settings_with(monkeypatch, **PRODUCTION, DATABASE_URL="postgres://app:kF83hsKqz@db:5432/app")
    assert settings.is_https
    assert settings.DATABASE_URL == "postgresql+psycopg://app:kF83hsKqz@db:5432/app"
    assert settings.sender == "Doorway <no-reply@login.example.com>"
    assert not (tmp_path / "instance").exists()  # a key is given, so none is kept


@pytest.mark.asvs("13.4.2")
def test_a_failure_in_production_shows_no_traceback_and_no_debugger(new_app: NewApp) -> None:
    app = new_app(**PRODUCTION)
    app.before_request_funcs[None].insert(0, lambda: 1 / 0)
    page = Browser(app).get("/")
    assert page.status_code == 500
    assert app.debug is False
    assert not any(word in page.text for word in ("Traceback", "ZeroDivisionError", "werkzeug", "division"))


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(monkeypatch, REDIS_URL="", SESSION_IDLE_SECONDS="", RATELIMIT_ENABLED="", SECRET_KEY="")
    assert settings.SESSION_IDLE.total_seconds() == 3600
    assert settings.RATELIMIT_ENABLED


def test_variables_of_others_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    others = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "OIDC_CLIENT_ID", "PROMETHEUS_URL", "PATH")
    settings_with(monkeypatch, **dict.fromkeys(others, "anything at all"))


def test_no_secret_is_shown_where_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(
        monkeypatch,
        SECRET_KEY=RANDOM_KEY,
        SECRET_KEY_FALLBACKS=OTHER_KEY,
        DATABASE_URL=f"postgresql://app:{MARK}@db/app",
        REDIS_URL=f"redis://:{MARK}@cache/0",
        MAIL_URL=f"smtps://app:{MARK}@mail.example.com",
    )
    for secret in (RANDOM_KEY, OTHER_KEY, MARK):
        assert secret not in repr(settings)
        assert secret not in str(settings)


def test_settings_do_not_change_while_the_site_runs() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings.from_env().PUBLIC_URL = "http://elsewhere.example"


MAKE_A_KEY = """
import pathlib, runpy, sys
kept_secret_key = runpy.run_path("webapp/secret_key.py")["kept_secret_key"]
sys.stdin.read()
print(kept_secret_key(pathlib.Path(sys.argv[1])))
"""


@pytest.mark.asvs("13.3.2", "11.2.3")
def test_ten_starts_at_once_make_one_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE_A_KEY, str(tmp_path / "new" / "instance")],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(10)
    ]
    for start in starts:  # all are up and wait for this
        assert start.stdin is not None
        start.stdin.close()
    keys = {start.stdout.read().strip() for start in starts if start.stdout is not None}
    assert [start.wait() for start in starts] == [0] * 10
    for start in starts:
        assert start.stdout is not None
        start.stdout.close()
    (key,) = keys
    assert len(key) == 64  # 48 random octets
    (file,) = (tmp_path / "new" / "instance").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.asvs("13.3.2")
@pytest.mark.parametrize(
    ("mode", "content", "complaint"),
    [(0o640, RANDOM_KEY, "others can read"), (0o604, RANDOM_KEY, "others can read"), (0o600, "cut", "damaged")],
)
def test_a_kept_key_that_others_can_read_or_that_is_damaged_is_not_used(
    tmp_path: Path, mode: int, content: str, complaint: str
) -> None:
    file = tmp_path / "instance" / "secret_key"
    file.parent.mkdir()
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(SettingsError, match=f"^INSTANCE_PATH: .*{complaint}") as refusal:
        Settings.from_env()
    assert content not in str(refusal.value)


def test_an_instance_folder_that_cannot_be_made_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"^INSTANCE_PATH: no secret_key can be kept there"):
        settings_with(monkeypatch, INSTANCE_PATH=str(tmp_path / "file"))


def test_a_key_drawn_at_random_is_not_taken_for_a_placeholder(tmp_path: Path) -> None:
    assert not any(secret_key.is_placeholder(secret_key.kept_secret_key(tmp_path / str(n))) for n in range(50))


@pytest.mark.asvs("11.2.2")
def test_after_a_change_of_key_what_was_signed_and_sealed_before_still_opens(
    new_app: NewApp, alice: str, mailbox: Mailbox
) -> None:
    before = new_app(SECRET_KEY=RANDOM_KEY)
    Browser(before).submit("/password/forgot", email=alice)
    cookie = VisitorCookie(_settings_of(before)).seal({"next": "/account"})
    assert cookie is not None

    after = new_app(SECRET_KEY=OTHER_KEY, SECRET_KEY_FALLBACKS=(RANDOM_KEY,))
    assert VisitorCookie(_settings_of(after)).open(cookie) == {"next": "/account"}
    link = Mailbox(after).link(alice, "/password/reset/")
    assert Browser(after).get(link).status_code == 200
    assert KEY_LENGTH == 32  # octets of every derived key


def _settings_of(app: Any) -> Settings:
    found: Settings = app.extensions["runtime"].settings
    return found
