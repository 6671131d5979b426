"""The OpenID providers that the sites of these tests know: one in Google's place, and a second one beside it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tests.providers.fixtures import running_provider
from tests.providers.lying import LyingProvider
from tests.servers.site import LiveSite

EXTRA_SCOPE = "calendar.readonly"


@dataclass(frozen=True)
class Providers:
    """Two providers on loopback, each the other's stranger."""

    google: LyingProvider
    acme: LyingProvider

    @property
    def environment(self) -> dict[str, str]:
        """What a site is started with to know them. Only the second needs a word about whose addresses it decides."""
        acme = {
            "name": "acme",
            "label": "Acme",
            "metadata_url": self.acme.metadata_url,
            "client_id": self.acme.client_id,
            "client_secret": self.acme.client_secret,
        }
        return {
            "GOOGLE_CLIENT_ID": self.google.client_id,
            "GOOGLE_CLIENT_SECRET": self.google.client_secret,
            "GOOGLE_METADATA_URL": self.google.metadata_url,
            "GOOGLE_EXTRA_SCOPES": EXTRA_SCOPE,
            "OIDC_PROVIDERS": json.dumps([acme]),
        }

    def send_back_to(self, site: LiveSite) -> None:
        """Have both send people back to this site, which has chosen its port by now."""
        for name, provider in (("google", self.google), ("acme", self.acme)):
            client = replace(provider.client, redirect_uris=(f"{site.url}/login/{name}/callback",))
            provider.clients = {client.client_id: client}


@contextmanager
def running_providers() -> Iterator[Providers]:
    """Both, on ports of their own."""
    with running_provider("google") as google, running_provider("acme") as acme:
        yield Providers(google, acme)
