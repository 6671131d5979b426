"""What `flask doctor` says of signing in with a provider: what to register there, and whether all is there to do it."""

from collections.abc import Iterator
from datetime import timedelta

from webapp import clock
from webapp.errors import ProviderUnavailable
from webapp.findings import Finding
from webapp.gateways.provider_health import ProviderHealth, look_at_events, look_at_provider
from webapp.gateways.relying_party import RelyingParty
from webapp.http.request_checks import EVENTS_PATH
from webapp.provider_settings import GOOGLE
from webapp.services.runtime import runtime
from webapp.settings import Settings

# A header tells whole seconds, and the answer takes a while; an ID token is forgiven half a minute.
MOST_PROVIDER_SKEW = timedelta(seconds=15)


def examine_providers() -> Iterator[Finding]:
    """Each provider, then what apps and security events need."""
    settings = runtime().settings
    relying_parties = runtime().relying_parties
    for relying_party in relying_parties.values():
        yield _provider(relying_party)
    if not relying_parties:
        yield Finding("providers", True, "none; nobody signs in with one")
    yield _redirects(settings)
    if settings.GOOGLE_CLIENT_ID or settings.GOOGLE_RISC_METADATA_URL:
        yield _events(settings)


def _provider(relying_party: RelyingParty) -> Finding:
    """Whether an OpenID provider can be used, and what has to be registered there."""
    config = relying_party.config
    register = f"its redirect URI for this site is {relying_party.redirect_uri}"
    if config.is_stand_in:
        register += "; it is a stand-in and lets anybody in as anybody: set GOOGLE_CLIENT_ID for Google itself"
    try:
        health = look_at_provider(config)
    except ProviderUnavailable as error:
        return Finding(config.name, False, f"{_silent(config.metadata_url, error)}; {register}")
    trouble = list(_trouble(health))
    if config.name == GOOGLE and not config.client_secret and not config.is_stand_in:
        trouble.insert(0, "GOOGLE_CLIENT_SECRET is not set, and Google gives nothing without it")
    told = "; ".join([f"{health.issuer} answers", *trouble, register])
    return Finding(config.name, not trouble, told)


def _redirects(settings: Settings) -> Finding:
    """Where apps are sent back to with a code."""
    listed = settings.API_REDIRECT_URIS
    if not listed:
        return Finding("app returns", True, "API_REDIRECT_URIS is empty: no app signs in with a provider's page")
    return Finding("app returns", True, f"apps are sent back to {', '.join(listed)}")


def _events(settings: Settings) -> Finding:
    """Cross-Account Protection."""
    address = settings.GOOGLE_RISC_METADATA_URL
    if not address:
        return Finding("risc", True, "off: GOOGLE_RISC_METADATA_URL is not set, so Google's warnings are not heard")
    if not settings.GOOGLE_CLIENT_ID:
        return Finding("risc", False, "off: GOOGLE_RISC_METADATA_URL needs GOOGLE_CLIENT_ID")
    here = f"events go to {settings.PUBLIC_URL}{EVENTS_PATH}"
    try:
        health = look_at_events(address)
    except ProviderUnavailable as error:
        return Finding("risc", False, f"{_silent(address, error)}; {here}")
    trouble = list(_trouble(health))
    return Finding("risc", not trouble, "; ".join([f"on: {health.issuer} answers", *trouble, here]))


def _trouble(health: ProviderHealth) -> Iterator[str]:
    if not health.keys:
        yield "it publishes no key that we can verify with (RS256, PS256 or ES256)"
    skew = None if health.told_at is None else abs(clock.now() - health.told_at)
    if skew is not None and skew > MOST_PROVIDER_SKEW:
        yield f"its clock and ours are {skew.total_seconds():.0f} seconds apart: check NTP"


def _silent(address: str, error: ProviderUnavailable) -> str:
    why = error.details.get("reason")
    if why == "issuer":
        return f"{address} speaks for another issuer: check its setting"
    return f"{address} does not answer ({why}): check its setting"
