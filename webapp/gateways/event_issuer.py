"""Where a provider's security events come from: Google's Cross-Account Protection (RISC) and the like."""

import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from authlib.integrations.requests_client import OAuth2Session

from webapp.errors import ProviderUnavailable
from webapp.gateways.id_token import verify_event_token
from webapp.gateways.provider_http import Outbound, get_json
from webapp.gateways.provider_keys import ProviderKeys
from webapp.gateways.provider_metadata import address_in

CONFIGURATION_FRESH: Final = 3600.0  # seconds


class EventIssuer:
    """Verifies security event tokens by the issuer and the keys that its configuration document names."""

    def __init__(self, configuration_url: str, client_ids: tuple[str, ...]) -> None:
        self._url = configuration_url
        self._client_ids = client_ids
        self._outbound = Outbound("security events")
        self._configuration: tuple[dict[str, str], float] | None = None
        self._keys = ProviderKeys(self._outbound, lambda: self._current()["jwks_uri"])

    def verify(self, raw: str) -> Mapping[str, Any]:
        """The claims of an event token for us. Raises ProviderAnswerRefused or ProviderUnavailable."""
        issuer = self._current()["issuer"]
        return verify_event_token(raw, self._keys, issuer=issuer, client_ids=self._client_ids)

    def configuration(self) -> Mapping[str, str]:
        """Its `issuer` and its `jwks_uri`. Raises ProviderUnavailable."""
        return self._current()

    def _current(self) -> dict[str, str]:
        known = self._configuration
        if known is not None and time.monotonic() - known[1] < CONFIGURATION_FRESH:
            return known[0]
        fresh = self._outbound.call(self._fetched)
        self._configuration = (fresh, time.monotonic())
        return fresh

    def _fetched(self, session: OAuth2Session) -> dict[str, str]:
        document, _ = get_json(session, self._url)
        return _checked(document, self._url)


def _checked(document: Mapping[str, Any], url: str) -> dict[str, str]:
    """The two addresses. The issuer is whoever publishes the document; the keys may lie on another host of theirs."""
    own = urlsplit(url)
    is_secure = own.scheme == "https"
    issuer = address_in(document, "issuer", is_secure=is_secure)
    if (urlsplit(issuer).scheme, urlsplit(issuer).netloc) != (own.scheme, own.netloc):
        raise ProviderUnavailable(reason="issuer")
    return {"issuer": issuer, "jwks_uri": address_in(document, "jwks_uri", is_secure=is_secure)}
