"""What a provider says of itself, remembered for a while, and believed only where it fits."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from authlib.integrations.requests_client import OAuth2Session

from webapp.errors import ProviderUnavailable
from webapp.gateways.provider_http import Outbound, get_json
from webapp.setting_types import split

METADATA_FRESH: Final = 3600.0  # seconds
METADATA_KEPT: Final = 86400.0  # seconds, where the provider cannot be asked again
METADATA_RETRY: Final = 30.0  # seconds until it is asked again then: nobody else waits for it meanwhile


@dataclass(frozen=True)
class Metadata:
    """The parts of a discovery document that are used (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    revocation_endpoint: str | None
    sends_issuer: bool  # the authorization response carries `iss` (RFC 9207)
    client_auth: str  # how we prove who we are at the token endpoint


class ProviderMetadata:
    """The discovery document of one provider."""

    def __init__(self, outbound: Outbound, metadata_url: str, issuer: str) -> None:
        self._outbound = outbound
        self._url = metadata_url
        self._issuer = issuer
        self._metadata: tuple[Metadata, float] | None = None  # and when it was fetched, by time.monotonic()
        self._fresh_until = 0.0

    def current(self) -> Metadata:
        """The metadata, asked for once an hour. Raises ProviderUnavailable."""
        now = time.monotonic()
        known = self._metadata
        if known is not None and now < self._fresh_until:
            return known[0]
        try:
            fresh = self._outbound.call(self._fetched)
        except ProviderUnavailable:
            if known is None or now - known[1] >= METADATA_KEPT:
                raise
            self._fresh_until = now + METADATA_RETRY
            return known[0]
        self._metadata = (fresh, now)
        self._fresh_until = now + METADATA_FRESH
        return fresh

    def peek(self) -> Metadata | None:
        """What is remembered, without asking anybody."""
        return self._metadata[0] if self._metadata else None

    def _fetched(self, session: OAuth2Session) -> Metadata:
        document, _ = get_json(session, self._url)
        return _checked(document, self._issuer, is_secure=self._url.startswith("https:"))


def _checked(document: Mapping[str, Any], issuer: str, *, is_secure: bool) -> Metadata:
    """The metadata, where it is this issuer's (ASVS 10.5.3). Some issuers end with a slash, which discovery drops."""
    told = document.get("issuer")
    if told not in (issuer, issuer + "/"):
        raise ProviderUnavailable(reason="issuer")
    methods = document.get("token_endpoint_auth_methods_supported")
    # Where both will do, the one that is written the same by everybody: many servers read Basic without decoding it.
    offers_post = isinstance(methods, list) and "client_secret_post" in methods
    return Metadata(
        issuer=str(told),
        authorization_endpoint=address_in(document, "authorization_endpoint", is_secure=is_secure),
        token_endpoint=address_in(document, "token_endpoint", is_secure=is_secure),
        jwks_uri=address_in(document, "jwks_uri", is_secure=is_secure),
        userinfo_endpoint=_optional(document, "userinfo_endpoint", is_secure=is_secure),
        revocation_endpoint=_optional(document, "revocation_endpoint", is_secure=is_secure),
        sends_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        client_auth="client_secret_post" if offers_post else "client_secret_basic",
    )


def _optional(document: Mapping[str, Any], name: str, *, is_secure: bool) -> str | None:
    return address_in(document, name, is_secure=is_secure) if document.get(name) is not None else None


def address_in(document: Mapping[str, Any], name: str, *, is_secure: bool) -> str:
    """An address that a document names, where it may be called at all. Raises ProviderUnavailable."""
    value = document.get(name)
    try:
        parts = split(value) if isinstance(value, str) and value.isascii() and value.isprintable() else None
    except ValueError:
        parts = None
    if parts is None or not parts.hostname or parts.fragment or "@" in parts.netloc:
        raise ProviderUnavailable(reason=name)
    if parts.scheme != "https" and (is_secure or parts.scheme != "http"):
        raise ProviderUnavailable(reason=name)
    return str(value)
