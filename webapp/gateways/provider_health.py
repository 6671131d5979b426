"""How a provider is at this moment, for an operator who wants to know: asked anew, whatever is remembered."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from webapp.gateways.event_issuer import EventIssuer
from webapp.gateways.provider_http import Outbound, get_json, one_deadline
from webapp.gateways.provider_keys import count_keys
from webapp.gateways.provider_metadata import ProviderMetadata
from webapp.provider_settings import ProviderConfig


@dataclass(frozen=True)
class ProviderHealth:
    """What a provider says of itself."""

    issuer: str
    keys: int  # that can be verified with
    told_at: datetime | None  # by its clock, where it tells


def look_at_provider(config: ProviderConfig) -> ProviderHealth:
    """How an OpenID provider is. Raises ProviderUnavailable where its metadata or its keys cannot be had."""
    outbound = Outbound(config.name)
    with one_deadline():
        metadata = ProviderMetadata(outbound, config.metadata_url, config.issuer).current()
        return _with_keys(outbound, metadata.issuer, metadata.jwks_uri)


def look_at_events(configuration_url: str) -> ProviderHealth:
    """How the issuer of security events is. Raises ProviderUnavailable."""
    with one_deadline():
        configuration = EventIssuer(configuration_url, ()).configuration()
        return _with_keys(Outbound("security events"), configuration["issuer"], configuration["jwks_uri"])


def _with_keys(outbound: Outbound, issuer: str, jwks_uri: str) -> ProviderHealth:
    document, headers = outbound.call(lambda session: get_json(session, jwks_uri))
    return ProviderHealth(issuer, count_keys(document), _date(headers.get("Date", "")))


def _date(header: str) -> datetime | None:
    try:
        told = parsedate_to_datetime(header)
    except ValueError:
        return None
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)
