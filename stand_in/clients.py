"""The sites that may send people here."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

# The chain of redirects that begins with the form on our page may go on to an app on this machine.
LOOPBACK_SOURCES = ("http://127.0.0.1:*", "http://localhost:*")


@dataclass(frozen=True)
class Client:
    """One registered site."""

    client_id: str
    secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    name: str = "the site"
    onward_uris: tuple[str, ...] = ()  # where the site itself sends people on to, with their answer in hand


def form_targets(redirect_uri: str, client: Client) -> tuple[str, ...]:
    """Where a form that ends in this redirect may lead, as sources of a content security policy.

    Chromium holds `form-action` against every redirect that follows a form, those of the site included.
    """
    sources = [_source(uri) for uri in (redirect_uri, *client.onward_uris)]
    return tuple(dict.fromkeys([*sources, *LOOPBACK_SOURCES]))


def _source(uri: str) -> str:
    parts = urlsplit(uri)
    is_web = parts.scheme in ("http", "https")
    # A policy cannot name an IPv6 address, nor a path after a redirect.
    return f"{parts.scheme}://{parts.netloc}" if is_web and "[" not in parts.netloc else f"{parts.scheme}:"
