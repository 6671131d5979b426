"""The site as its users reach it: through name, certificate and proxy, at PUBLIC_URL."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

import requests

CONNECT_TIMEOUT = 2.0  # seconds
READ_TIMEOUT = 4.0  # seconds between two bytes


class FrontUnreachable(Exception):
    """Nobody answers there; the reason is the kind of the failure."""


@dataclass(frozen=True)
class Front:
    """What the sign-in page at the public address answered."""

    status: int
    is_ours: bool  # whether it bears the id that every answer of the site has
    leads_to: str  # where it redirects; empty: nowhere
    cookies: tuple[str, ...]  # names of those it sets
    told_at: datetime | None  # by the clock of whoever stands in front


def look_at_front(public_url: str) -> Front:
    """Open the sign-in page as a browser would, with the certificate checked. Raises FrontUnreachable."""
    with requests.Session() as session:
        session.trust_env = False  # what our own users meet, not what a proxy for leaving this network says
        try:
            timeouts = (CONNECT_TIMEOUT, READ_TIMEOUT)
            answer = session.get(f"{public_url}/login", timeout=timeouts, allow_redirects=False, stream=True)
        except requests.RequestException as error:
            raise FrontUnreachable(type(error).__name__) from None
        with answer:
            return Front(
                status=answer.status_code,
                is_ours="X-Request-ID" in answer.headers,
                leads_to=answer.headers.get("Location", ""),
                cookies=tuple(cookie.name for cookie in answer.cookies),
                told_at=_date(answer.headers.get("Date", "")),
            )


def _date(value: str) -> datetime | None:
    try:
        told = parsedate_to_datetime(value)
    except ValueError:
        return None
    return told if told.tzinfo is not None else None  # "-0000" says of no zone that it is one
