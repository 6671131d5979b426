"""What `flask doctor` says of the way from a user to the site: name, certificate, proxy, and its clock."""

from collections.abc import Iterator
from datetime import timedelta

from webapp import clock
from webapp.findings import Finding
from webapp.gateways.front import Front, FrontUnreachable, look_at_front
from webapp.settings import Settings

MOST_FRONT_SKEW = timedelta(seconds=15)  # the header tells whole seconds, and the answer takes a while


def examine_front(settings: Settings) -> Finding:
    """Whether the sign-in page comes through at PUBLIC_URL as it left the site."""
    try:
        front = look_at_front(settings.PUBLIC_URL)
    except FrontUnreachable as error:
        return Finding(
            "front", False, f"{settings.PUBLIC_URL} does not answer ({error}): check name, certificate, proxy"
        )
    trouble = list(_trouble(front, settings))
    return Finding("front", not trouble, "; ".join(trouble) or f"{settings.PUBLIC_URL} shows the sign-in page")


def _trouble(front: Front, settings: Settings) -> Iterator[str]:
    if not front.is_ours:
        yield f"whoever answers at {settings.PUBLIC_URL} is not this site, or takes its X-Request-ID away"
    elif front.status == 400:
        yield "the proxy does not pass the Host header on as it came"
    elif front.leads_to.startswith(settings.PUBLIC_URL):
        yield "the proxy says that users come by http: have it set X-Forwarded-Proto to what they came by"
    elif front.status != 200:
        yield f"the sign-in page answers {front.status}"
    elif settings.is_https and not any(name.startswith("__Host-") for name in front.cookies):
        yield "the proxy takes the site's cookies away, or renames them"
    skew = None if front.told_at is None else abs(clock.now() - front.told_at)
    if skew is not None and skew > MOST_FRONT_SKEW:
        yield f"its clock and ours are {skew.total_seconds():.0f} seconds apart: check NTP"
