"""What the services need from whoever runs them: settings, a database, a hasher, and so on.

`create_app` makes one Runtime an application and says here how to find the current one, so that services
know no Flask and two applications in one process do not share anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from webapp.gateways.event_issuer import EventIssuer
from webapp.gateways.relying_party import RelyingParty
from webapp.services.access_tokens import AccessTokens
from webapp.services.hashing import PasswordHashing
from webapp.services.key_ring import KeyRing
from webapp.services.refresh_tokens import RefreshTokens
from webapp.services.revocation import RevokedSessions
from webapp.services.sealing import Sealer
from webapp.services.throttle import Throttle
from webapp.settings import Settings


class BreachedPasswords(Protocol):
    """A list of passwords that are known to attackers."""

    def __contains__(self, password: object) -> bool: ...


class CookieSessionStore(Protocol):
    """What the services ask of the store of cookie sessions: to let go of what is over."""

    def purge(self, limit: int) -> int:
        """Remove at most `limit` bags that are over; how many there were."""


@dataclass(frozen=True)
class Runtime:
    """One application's collaborators, ready for use."""

    settings: Settings
    engine: Engine
    single: Engine  # the same, for work that is one statement
    database_session: Callable[[], Session]  # the current unit of work's
    hashing: PasswordHashing
    breached: BreachedPasswords
    throttle: Throttle
    sealer: Sealer
    key_ring: KeyRing
    access_tokens: AccessTokens
    refresh_tokens: RefreshTokens
    revoked: RevokedSessions
    cookie_sessions: CookieSessionStore
    relying_parties: Mapping[str, RelyingParty]  # by the provider's name, in the order of the settings
    event_issuer: EventIssuer | None  # whose security events are listened to
    wake_outbox: Callable[[], None]  # a mail was committed
    request_id: Callable[[], str]  # of the present request; empty outside of one


_find: Callable[[], Runtime] | None = None


def provide_runtime(find: Callable[[], Runtime]) -> None:
    """Say how the current application's Runtime is found. Called once, by `webapp`."""
    global _find
    _find = find


def runtime() -> Runtime:
    """The current application's Runtime."""
    if _find is None:
        raise RuntimeError("no application has been made yet")
    return _find()
