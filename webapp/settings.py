"""Every knob of the site: name, type, unit, default. Read from the environment once, validated, then frozen.

Nothing secret has a default. A bad value raises SettingsError, whose text is one line and repeats no value.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from redis.connection import parse_url
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from webapp.provider_settings import ENTRY_FIELDS, ProviderConfig, ProviderSettings
from webapp.secret_key import MIN_LENGTH, is_placeholder, kept_secret_key
from webapp.setting_types import (
    Seconds,
    SecondsOrZero,
    SeveralTexts,
    ShortSeconds,
    Whole,
    as_browsers_write,
    split,
)

PROJECT_ROOT = Path(__file__).resolve().parent.parent
MIN_PASSES, MIN_MEMORY = 2, 19456  # KiB; the least that ASVS 11.4.2 (appendix C) allows for Argon2id
KNOWN_PASSWORDS = frozenset({"password", "changeme", "change-me", "secret", "admin"})


class SettingsError(Exception):
    """The environment is not one the site can run with. The text is one clear line without any value in it."""


class Settings(ProviderSettings):
    """The validated, frozen settings. The environment variable is the field's name in capitals, or its alias."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,  # `SECRET_KEY=` in a file of settings means that there is none
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    APP_ENV: Literal["development", "testing", "production"] = "development"
    SITE_NAME: str = Field(default="Doorway", min_length=1, max_length=40)
    PUBLIC_URL: str = "http://127.0.0.1:8000"  # the address users see
    INSTANCE_PATH: Path = PROJECT_ROOT / "instance"  # what this machine keeps: database, key, mails

    SECRET_KEY: str = Field(default="", repr=False)  # made once and kept in INSTANCE_PATH outside production
    SECRET_KEY_FALLBACKS: SeveralTexts = Field(default=(), repr=False)

    DATABASE_URL: str = Field(default="sqlite:///instance/app.db", repr=False)
    DATABASE_TIMEOUT: Seconds = Field(default=timedelta(seconds=2), alias="DATABASE_TIMEOUT_SECONDS")  # connect, lock
    THREADS: Whole = Field(default=8, ge=1, le=256)  # requests at once in one worker; sizes the pool of connections
    WEB_CONCURRENCY: Whole = Field(default=2, ge=1, le=1024)  # workers of one site
    SITES: Whole = Field(default=1, ge=1, le=10_000)  # how many share the database; nothing but the doctor asks
    REDIS_URL: str = Field(default="", repr=False)  # empty: sessions and limits live in the database

    MAIL_URL: str = Field(default="file:instance/mail", repr=False)
    MAIL_FROM: str = ""  # empty: no-reply@ the public host

    SESSION_IDLE: Seconds = Field(default=timedelta(hours=1), alias="SESSION_IDLE_SECONDS")
    SESSION_ABSOLUTE: Seconds = Field(default=timedelta(hours=24), alias="SESSION_ABSOLUTE_SECONDS")
    REMEMBER_IDLE: Seconds = Field(default=timedelta(days=14), alias="REMEMBER_IDLE_SECONDS")
    REMEMBER_ABSOLUTE: Seconds = Field(default=timedelta(days=30), alias="REMEMBER_ABSOLUTE_SECONDS")

    # Life of an access token; workers keep what was revoked for as long, and deleted accounts are waited for longer.
    JWT_ACCESS: ShortSeconds = Field(default=timedelta(minutes=10), alias="JWT_ACCESS_SECONDS")
    JWT_REFRESH: Seconds = Field(default=timedelta(days=30), alias="JWT_REFRESH_SECONDS")  # life of an API session
    # How long the refresh token just replaced is still answered with the current one; 0 forgives no lost answer.
    REFRESH_LEEWAY: SecondsOrZero = Field(default=timedelta(seconds=30), alias="REFRESH_LEEWAY_SECONDS")
    CORS_ORIGINS: SeveralTexts = ()  # SPAs elsewhere

    MFA_REQUIRED: bool = False  # demand a second factor on every way in
    MAILED_SIGN_IN: bool = False  # offer to sign in by a mailed link or code
    PASSKEY_ORIGINS: SeveralTexts = ()  # of apps that use the site's passkeys, such as android:apk-key-hash:…
    PASSWORD_MIN_LENGTH: Whole = Field(default=15, ge=8, le=64)  # code points (NIST SP 800-63B-4, 3.1.1.2)
    ARGON2_TIME_COST: Whole = Field(default=2, ge=1, le=100)  # passes (ASVS appendix C: 2 over 19456 KiB)
    ARGON2_MEMORY_KIB: Whole = Field(default=19456, ge=8, le=4 * 1024 * 1024)  # KiB
    ARGON2_PARALLELISM: Whole = Field(default=1, ge=1, le=64)  # lanes
    ARGON2_CONCURRENCY: Whole = Field(default=4, ge=1, le=256)  # hashes at once in one worker

    SECURITY_CONTACT: str = ""  # mailto: or https: address for /.well-known/security.txt; empty: no such page
    TRUSTED_PROXIES: Whole = Field(default=0, ge=0, le=10)  # how many in front may be believed
    RATELIMIT_ENABLED: bool = True
    DRAIN_FILE: Path | None = None  # while it is there, /healthz sends proxies elsewhere
    METRICS_TOKEN: str = Field(default="", repr=False)  # who shows it may read /metrics from elsewhere
    FLASK_DEBUG: bool = False  # Flask's own switch, read here to refuse it in production
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @classmethod
    def from_env(cls) -> Self:
        """The settings from the environment. Raises SettingsError."""
        return cls.checked()

    @classmethod
    def checked(cls, **values: Any) -> Self:
        """The settings from `values` over the environment. Raises SettingsError."""
        try:
            return cls(**values)
        except ValidationError as error:
            problems = "; ".join(
                f"{_name_in(e['loc'])}{e['msg'].removeprefix('Value error, ')}" for e in error.errors()
            )
            raise SettingsError(problems.replace("\n", " ")) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings

    @field_validator("PUBLIC_URL")
    @classmethod
    def _public_url_is_an_origin(cls, value: str) -> str:
        value = as_browsers_write(value)
        parts = split(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://login.example.com, without a path")
        return value

    @field_validator("DATABASE_URL")
    @classmethod
    def _database_is_known(cls, value: str) -> str:
        for prefix in ("postgres://", "postgresql://"):
            value = value.replace(prefix, "postgresql+psycopg://", 1) if value.startswith(prefix) else value
        if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must begin with sqlite:/// or postgresql://")
        if value.startswith(("sqlite:///:memory:", "sqlite:///?")) or value == "sqlite:///":
            raise ValueError("must name a file: what is in memory no other process can see")
        try:
            make_url(value)
        except (ArgumentError, ValueError):
            raise ValueError("is not a database URL") from None
        return value

    @field_validator("REDIS_URL")
    @classmethod
    def _redis_is_known(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        try:
            parse_url(value or "redis://")  # type: ignore[no-untyped-call]
        except ValueError:
            raise ValueError("is not a Redis URL") from None
        return value

    @field_validator("MAIL_URL")
    @classmethod
    def _mail_is_known(cls, value: str) -> str:
        if not value.startswith(("smtp://", "smtps://", "file:")) or value == "file:":
            raise ValueError("must begin with smtp://, smtps:// or file:")
        return value

    @field_validator("SECURITY_CONTACT")
    @classmethod
    def _contact_is_an_address(cls, value: str) -> str:
        if value and not value.startswith(("mailto:", "https://")):
            raise ValueError("must begin with mailto: or https://")
        return value

    @field_validator("METRICS_TOKEN")
    @classmethod
    def _token_is_long(cls, value: str) -> str:
        if value and (len(value) < MIN_LENGTH or not value.isascii() or not value.isprintable() or " " in value):
            raise ValueError(f"must have {MIN_LENGTH} printable ASCII characters or more, and no space")
        return value

    @field_validator("CORS_ORIGINS")
    @classmethod
    def _origins_are_exact(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            parts = split(value)
            # Compared letter by letter with what browsers send; no "*" and no "null" (ASVS 3.4.2).
            if parts.scheme not in ("http", "https") or value != as_browsers_write(f"{parts.scheme}://{parts.netloc}"):
                raise ValueError("must be origins such as https://app.example.com, comma-separated, without a path")
            if not parts.hostname or "@" in parts.netloc or "*" in parts.netloc:
                raise ValueError("must be exact origins, without * and without a user")
        return values

    @field_validator("MAIL_FROM", "SITE_NAME", "SECURITY_CONTACT")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if any(ord(character) < 32 for character in value):
            raise ValueError("must be one line")
        return value

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.SESSION_IDLE > self.SESSION_ABSOLUTE:
            raise ValueError("SESSION_IDLE_SECONDS must not be more than SESSION_ABSOLUTE_SECONDS")
        if self.REMEMBER_IDLE > self.REMEMBER_ABSOLUTE:
            raise ValueError("REMEMBER_IDLE_SECONDS must not be more than REMEMBER_ABSOLUTE_SECONDS")
        if self.APP_ENV == "production":
            self._is_safe_for_production()
        if self.ARGON2_MEMORY_KIB < 8 * self.ARGON2_PARALLELISM:
            raise ValueError("ARGON2_MEMORY_KIB must be at least 8 times ARGON2_PARALLELISM (RFC 9106, section 3.1)")
        if not self.SECRET_KEY:
            object.__setattr__(self, "SECRET_KEY", kept_secret_key(self.INSTANCE_PATH))
        return self

    def _is_safe_for_production(self) -> None:
        """An unsafe start is refused rather than warned of: nobody reads warnings (ASVS 11.2.3, 13.2.3, 13.4.2)."""
        if not self.SECRET_KEY:
            raise ValueError("SECRET_KEY must be set in production")
        if not self.is_https:
            raise ValueError("PUBLIC_URL must begin with https: in production")
        for key in (self.SECRET_KEY, *self.SECRET_KEY_FALLBACKS):
            if len(key) < MIN_LENGTH:
                raise ValueError(f"SECRET_KEY and its fallbacks must have {MIN_LENGTH} characters or more")
            if is_placeholder(key):
                raise ValueError("SECRET_KEY must be random in production, such as secrets.token_urlsafe(48) makes")
        self.check_providers_for_production()
        if self.FLASK_DEBUG:
            raise ValueError("FLASK_DEBUG must not be on in production")
        url = make_url(self.DATABASE_URL)
        if url.password in KNOWN_PASSWORDS:
            raise ValueError("DATABASE_URL must not hold a password that everybody knows in production")

    @property
    def providers(self) -> tuple[ProviderConfig, ...]:
        """The OpenID providers that people can sign in with, in the order their buttons stand."""
        return self.configured_providers(is_development=self.APP_ENV == "development")

    @property
    def can_replace_secret_key(self) -> bool:
        """Whether SECRET_KEY could stand in SECRET_KEY_FALLBACKS, which commas take apart."""
        return "," not in self.SECRET_KEY

    @property
    def is_https(self) -> bool:
        """Whether users come over https, which decides cookie names and HSTS."""
        return self.PUBLIC_URL.startswith("https:")

    @property
    def host(self) -> str:
        """The host name users see, without a port."""
        return split(self.PUBLIC_URL).hostname or ""

    @property
    def passkey_host(self) -> str:
        """The relying party's id: a name, since browsers make no passkeys for an address (WebAuthn Level 3, 5.1.2)."""
        return "localhost" if is_loopback(self.host) else self.host

    @property
    def passkey_origins(self) -> list[str]:
        """Where passkeys of this site may be used."""
        own = self.PUBLIC_URL.replace(f"//{split(self.PUBLIC_URL).netloc}", f"//{_with_name(self)}")
        return list(dict.fromkeys([self.PUBLIC_URL, own, *self.PASSKEY_ORIGINS]))

    @property
    def sender(self) -> str:
        """The From address of mails."""
        if self.MAIL_FROM:
            return self.MAIL_FROM
        has_name = "." in self.host and not self.host[-1].isdigit()
        return f"{self.SITE_NAME} <no-reply@{self.host if has_name else 'localhost'}>"

    @property
    def sqlalchemy_url(self) -> str:
        """DATABASE_URL, a relative SQLite path taken from the project's folder whatever the working directory."""
        path = self.DATABASE_URL.removeprefix("sqlite:///")
        if path == self.DATABASE_URL or path.startswith(("/", ":memory:")):
            return self.DATABASE_URL
        return f"sqlite:///{PROJECT_ROOT / path}"

    @property
    def mail_directory(self) -> Path | None:
        """Where mails are written as files; None when they go out by SMTP."""
        if not self.MAIL_URL.startswith("file:"):
            return None
        return PROJECT_ROOT / self.MAIL_URL.removeprefix("file:").removeprefix("//")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its address."""
    return host == "::1" or host.startswith("127.")


def _with_name(settings: "Settings") -> str:
    port = split(settings.PUBLIC_URL).port
    return settings.passkey_host + (f":{port}" if port else "")


def _name_in(location: tuple[int | str, ...]) -> str:
    """The variable, and where in its list of objects. A key that nobody knows may be anything, and is not repeated."""
    known = [str(part) for part in location[1:] if isinstance(part, int) or part in ENTRY_FIELDS]
    return f"{'.'.join([str(location[0]), *known])}: " if location else ""
