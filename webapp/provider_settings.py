"""Which OpenID providers people can sign in with: Google by its own variables, any other by one JSON list."""

import json
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from webapp.setting_types import SeveralTexts, split

DISCOVERY_PATH: Final = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, section 4
GOOGLE: Final = "google"
GOOGLE_METADATA_URL: Final = "https://accounts.google.com" + DISCOVERY_PATH
STAND_IN_CLIENT_ID: Final = "stand-in"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
# Words that a route beside it or a method of signing in (RFC 8176) has already.
_TAKEN: Final = frozenset({GOOGLE, "keep", "verify", "email", "passkey", "recovery", "password"})
_TAKEN_METHODS: Final = "face fpt geo hwk iris kba mca mfa otp pin pop pwd rba sc sms swk tel".split()  # noqa: SIM905
_NAME: Final = re.compile(r"[a-z][a-z0-9]{1,15}")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")  # RFC 6749, section 3.3
_CUSTOM_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")  # a name turned round (RFC 8252, section 7.1)


@dataclass(frozen=True)
class ProviderConfig:
    """One OpenID provider, as the site is set up for it."""

    name: str  # in routes, and as the method of a sign-in
    label: str  # on buttons
    metadata_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    authoritative: bool = False  # who it says an address belongs to, we believe
    domains: tuple[str, ...] = ()  # if not empty: only for addresses in these
    trusts_hosted_domain: bool = False  # also where the claim `hd` says that it manages the address
    extra_scopes: tuple[str, ...] = ()
    native_client_ids: tuple[str, ...] = ()  # of apps whose SDK asks for an ID token that is meant for us
    is_stand_in: bool = False

    @property
    def issuer(self) -> str:
        """Whose metadata it has to be (OpenID Connect Discovery 1.0, section 4.3)."""
        return self.metadata_url.removesuffix(DISCOVERY_PATH)


class _Entry(BaseModel):
    """One object of the list in OIDC_PROVIDERS."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str
    label: Annotated[str, Field(min_length=1, max_length=40)]
    metadata_url: str
    client_id: Annotated[str, Field(min_length=1, max_length=255)]
    client_secret: str = Field(default="", repr=False)
    authoritative: bool = False
    domains: tuple[str, ...] = ()

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, value: str) -> str:
        if not _NAME.fullmatch(value) or value in (*_TAKEN, *_TAKEN_METHODS):
            raise ValueError("a name must be 2 to 16 small letters and digits, and none that the site uses itself")
        return value

    @field_validator("label")
    @classmethod
    def _label_is_one_line(cls, value: str) -> str:
        if not value.isprintable() or not value.strip():
            raise ValueError("a label must be one line of text")
        return value

    @field_validator("metadata_url")
    @classmethod
    def _is_discovery(cls, value: str) -> str:
        return _discovery_url(value)

    @field_validator("domains")
    @classmethod
    def _domains_are_names(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if any(not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", value) for value in values):
            raise ValueError("domains must be names such as example.com, in small letters")
        return values


ENTRY_FIELDS: Final = frozenset(_Entry.model_fields)


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("must be a JSON list of objects") from None
    if not isinstance(parsed, list):
        raise ValueError("must be a JSON list of objects")
    return parsed


def _web_address(value: str, what: str) -> str:
    parts = split(value)
    is_loopback = parts.scheme == "http" and parts.hostname in LOOPBACK
    if (parts.scheme != "https" and not is_loopback) or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"must be {what}, by https (http only on this machine)")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user")
    return value


def _discovery_url(value: str) -> str:
    if not value.endswith(DISCOVERY_PATH):
        raise ValueError(f"must end with {DISCOVERY_PATH}")
    return _web_address(value, "a discovery document's address")


class ProviderSettings(BaseSettings):
    """The settings about signing in with somebody else's help, and about where apps are sent back to."""

    GOOGLE_CLIENT_ID: str = ""  # empty: no Google button
    GOOGLE_CLIENT_SECRET: str = Field(default="", repr=False)
    GOOGLE_METADATA_URL: str = GOOGLE_METADATA_URL
    GOOGLE_EXTRA_SCOPES: SeveralTexts = ()  # asked for beside "openid email profile"; the tokens are then kept
    GOOGLE_NATIVE_CLIENT_IDS: SeveralTexts = ()  # of Android and iOS apps, as they stand in `azp`
    GOOGLE_RISC_METADATA_URL: str = ""  # empty: no Cross-Account Protection
    OIDC_PROVIDERS: Annotated[tuple[_Entry, ...], NoDecode, BeforeValidator(_from_json)] = Field(default=(), repr=False)
    API_REDIRECT_URIS: SeveralTexts = ()
    STAND_IN_PROVIDER_URL: str = ""  # where `make run` has started a provider to try things out with
    STAND_IN_CLIENT_SECRET: str = Field(default="", repr=False)

    @field_validator("GOOGLE_METADATA_URL")
    @classmethod
    def _google_is_discovered(cls, value: str) -> str:
        return _discovery_url(value)

    @field_validator("GOOGLE_RISC_METADATA_URL", "STAND_IN_PROVIDER_URL")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        return _web_address(value, "an address") if value else value

    @field_validator("GOOGLE_EXTRA_SCOPES")
    @classmethod
    def _scopes_are_scopes(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if any(not _SCOPE.fullmatch(value) for value in values):
            raise ValueError("must be scopes, comma-separated")
        return values

    @field_validator("OIDC_PROVIDERS")
    @classmethod
    def _names_differ(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len({entry.name for entry in values}) != len(values):
            raise ValueError("every provider needs a name of its own")
        return values

    @field_validator("API_REDIRECT_URIS")
    @classmethod
    def _redirects_are_exact(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not _is_redirect_uri(value):
                raise ValueError(
                    "must be addresses such as https://app.example.com/callback, http://127.0.0.1/callback (any port) "
                    "or com.example.app:/callback, comma-separated"
                )
        return values

    @model_validator(mode="after")
    def _issuers_differ(self) -> Self:
        """Or one provider's answer could be passed off as another's (RFC 9700, section 4.4.2)."""
        urls = [entry.metadata_url for entry in self.OIDC_PROVIDERS]
        urls += [self.GOOGLE_METADATA_URL] if self.GOOGLE_CLIENT_ID else []
        if len(set(urls)) != len(urls):
            raise ValueError("OIDC_PROVIDERS: every provider needs a metadata_url of its own, other than Google's")
        return self

    def configured_providers(self, *, is_development: bool) -> tuple[ProviderConfig, ...]:
        """Google, or in development its stand-in where one was started, and the others."""
        google = {"name": GOOGLE, "domains": ("gmail.com", "googlemail.com"), "trusts_hosted_domain": True}
        found = []
        if self.GOOGLE_CLIENT_ID:
            found.append(
                ProviderConfig(
                    **google,  # type: ignore[arg-type]
                    label="Google",
                    metadata_url=self.GOOGLE_METADATA_URL,
                    client_id=self.GOOGLE_CLIENT_ID,
                    client_secret=self.GOOGLE_CLIENT_SECRET,
                    authoritative=True,
                    extra_scopes=self.GOOGLE_EXTRA_SCOPES,
                    native_client_ids=self.GOOGLE_NATIVE_CLIENT_IDS,
                )
            )
        elif self.STAND_IN_PROVIDER_URL and is_development:
            found.append(
                ProviderConfig(
                    **google,  # type: ignore[arg-type]
                    label="Google (stand-in)",
                    metadata_url=self.STAND_IN_PROVIDER_URL.rstrip("/") + DISCOVERY_PATH,
                    client_id=STAND_IN_CLIENT_ID,
                    client_secret=self.STAND_IN_CLIENT_SECRET,
                    authoritative=True,
                    extra_scopes=self.GOOGLE_EXTRA_SCOPES,
                    is_stand_in=True,
                )
            )
        return (*found, *(ProviderConfig(**entry.model_dump()) for entry in self.OIDC_PROVIDERS))

    def check_providers_for_production(self) -> None:
        """Raises ValueError for what is only for trying things out."""
        if self.STAND_IN_PROVIDER_URL:
            raise ValueError("STAND_IN_PROVIDER_URL must not be set in production: it lets anybody in as anybody")
        urls = [self.GOOGLE_METADATA_URL, self.GOOGLE_RISC_METADATA_URL or GOOGLE_METADATA_URL]
        for url in [*urls, *(entry.metadata_url for entry in self.OIDC_PROVIDERS)]:
            if not url.startswith("https:") or split(url).hostname in LOOPBACK:
                raise ValueError(
                    "GOOGLE_METADATA_URL, GOOGLE_RISC_METADATA_URL and OIDC_PROVIDERS must name providers on https, "
                    "and none on this machine, in production"
                )


def _is_redirect_uri(value: str) -> bool:
    """RFC 8252, section 7: https, this machine, or a scheme that only one app can claim. Of this machine's names only
    its addresses may then have any port; localhost is compared letter by letter.
    """
    if any(ord(character) <= 32 or ord(character) > 126 for character in value) or "*" in value or len(value) > 512:
        return False
    try:
        parts = split(value)
    except ValueError:
        return False
    if parts.fragment or "#" in value or "@" in parts.netloc:
        return False
    if parts.scheme in ("https", "http"):
        return bool(parts.hostname) and (parts.scheme == "https" or parts.hostname in LOOPBACK)
    return bool(_CUSTOM_SCHEME.fullmatch(parts.scheme)) and bool(parts.path or parts.netloc)
