"""Which browser has signed in as whom, and which pages wait for an answer."""

import secrets
import time
from dataclasses import dataclass, field

from stand_in.authorization import AuthorizationRequest
from stand_in.people import Person

PAGE_LIFE = 600  # seconds
MOST_BROWSERS = 1000


@dataclass(frozen=True)
class SignedIn:
    """Who signed in with a browser, and when."""

    person: Person
    at: int


@dataclass(frozen=True)
class _Waiting:
    request: AuthorizationRequest
    browser: str
    until: int


@dataclass
class Browsers:
    """What one provider remembers of browsers; they hold a random id in a cookie."""

    _signed_in: dict[str, SignedIn] = field(default_factory=dict)
    _waiting: dict[str, _Waiting] = field(default_factory=dict)

    def signed_in(self, browser: str | None) -> SignedIn | None:
        """Who is signed in with this browser."""
        return self._signed_in.get(browser) if browser else None

    def sign_in(self, browser: str, person: Person) -> SignedIn:
        """Remember that this person has just signed in."""
        while len(self._signed_in) >= MOST_BROWSERS:
            self._signed_in.pop(next(iter(self._signed_in)), None)
        self._signed_in[browser] = signed_in = SignedIn(person, int(time.time()))
        return signed_in

    def wait(self, browser: str, request: AuthorizationRequest) -> str:
        """The name of a page that this browser may answer, once."""
        now = int(time.time())
        for name in [name for name, waiting in list(self._waiting.items()) if waiting.until <= now]:
            self._waiting.pop(name, None)
        name = secrets.token_urlsafe(24)
        self._waiting[name] = _Waiting(request, browser, now + PAGE_LIFE)
        return name

    def answered(self, name: str, browser: str | None) -> AuthorizationRequest | None:
        """What the page was about, if it was shown to this browser, has not been answered and is not too old."""
        waiting = self._waiting.get(name)
        if waiting is None or waiting.browser != browser or waiting.until <= time.time():
            return None
        self._waiting.pop(name, None)
        return waiting.request


def new_browser() -> str:
    """An id for a browser that comes for the first time."""
    return secrets.token_urlsafe(24)
