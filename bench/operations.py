"""What is measured: what people and apps ask for all day, each beside something bare that does as much."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.load import CLIENTS, Call, cycling, stepping
from bench.people import AS_JSON, Visitor, new_account, sign_in_again
from tests.servers.devices import PREFIX, ApiSite, Device
from webapp.services.hashing import PasswordHashing

PEOPLE = 64
Script = Callable[[], str]  # made anew for each slice: what one slice has spent, the next cannot use


@dataclass(frozen=True)
class Operation:
    """A call of the site's, and what it is held against."""

    name: str
    script: Script
    beside: str  # "bare", "stripped" or "argon2"
    beside_script: Script
    against: str
    target: float | None  # by processor time; None: told, and not asked for


@dataclass(frozen=True)
class Crowd:
    """Everybody who is signed in at a site, in a browser and with an app."""

    api: ApiSite
    visitor: Visitor
    tokens: tuple[str, ...]
    sign_ins: tuple[Call, ...]

    def new_lines(self) -> list[str]:
        """Refresh tokens of new devices, one for each connection."""
        return [Device(self.api, f"bench-{number}@example.com").refresh_token for number in range(CLIENTS)]


def gather(api: ApiSite, hashing: PasswordHashing, *, first: int = 0) -> Crowd:
    """Make the accounts, numbered from `first` on, and sign everybody in."""
    emails = [new_account(api, number, hashing) for number in range(first, first + PEOPLE)]
    visitor = Visitor(api.site).sign_in(emails[0])
    sign_ins = tuple(sign_in_again(api, email) for email in emails)
    return Crowd(api, visitor, tuple(Device(api, email).access_token for email in emails), sign_ins)


def operations(crowd: Crowd) -> list[Operation]:
    """Each with its target, where there is one."""
    session_page, without = _by_cookie(crowd, "/account"), _get("/stripped/account")
    stateless, with_user = _by_token(crowd, "/auth/session"), _by_token(crowd, "/me")
    sign_in_page, no_token = _get("/login"), _get("/stripped/login")
    step = "UPDATE ... RETURNING, signature"
    return [
        Operation("token call, stateless", stateless, "bare", _get("/session"), "bare Flask JSON", 0.75),
        Operation("token call with user", with_user, "bare", _get("/me"), "bare Flask JSON", 0.55),
        Operation("session page", session_page, "stripped", without, "the page without sign-in", 0.55),
        Operation("session page", session_page, "bare", _get("/page"), "its bytes alone", None),
        Operation("sign-in page", sign_in_page, "stripped", no_token, "the page without form token", 0.60),
        Operation("refresh", _stepping(crowd), "bare", _bare_steps(), step, 0.65),
    ]


def growing(crowd: Crowd) -> dict[str, Script]:
    """What is asked for all day, the lists included, by name."""
    return {
        **{operation.name: operation.script for operation in operations(crowd)},
        "sign-in": sign_in(crowd),
        "list of sessions": _by_token(crowd, "/sessions"),
        "list of events": _by_token(crowd, "/events"),
        "activity page": _by_cookie(crowd, "/account/activity"),
    }


def sign_in(crowd: Crowd) -> Script:
    """The password door of the API; its hash is made at the cost that the site has by default."""
    return lambda: cycling(crowd.sign_ins)


def _by_token(crowd: Crowd, path: str) -> Script:
    calls = [Call("GET", PREFIX + path, {"Authorization": f"Bearer {token}"}) for token in crowd.tokens]
    return lambda: cycling(calls)


def _by_cookie(crowd: Crowd, path: str) -> Script:
    return lambda: cycling([Call("GET", path, crowd.visitor.headers)])


def _get(path: str) -> Script:
    headers = {"Accept": "text/html", "Accept-Language": "en-US,en;q=0.5"}
    return lambda: cycling([Call("GET", path, headers)])


def _stepping(crowd: Crowd) -> Script:
    return lambda: stepping(f"{PREFIX}/auth/refresh", crowd.new_lines())


def _bare_steps() -> Script:
    calls = [Call("POST", "/refresh", AS_JSON, f'{{"refresh_token": "{number}"}}') for number in range(CLIENTS)]
    return lambda: cycling(calls)
