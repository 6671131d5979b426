"""Every page of the site, each in every state it can be in: the list that screenshots and checks go through."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import BrowserContext, Page, Route

from tests.browser.household import REFUSED, Household
from tests.people import NEW_PASSWORD

OWN_FORM = "main form:not([action])"


@dataclass(frozen=True)
class Stop:
    """One page in one state: where it is, whose browser sees it, and what is filled in and pressed there."""

    name: str
    path: str = REFUSED  # may name a link of the household: "{reset}"
    who: str = ""
    fill: Mapping[str, str] = field(default_factory=dict)  # the name of a field → what is typed there
    press: str = ""
    status: int = 200


def _sent(name: str, path: str, /, *, who: str = "", status: int = 422, **fields: str) -> Stop:
    """The page after its own form was sent."""
    return Stop(name, path, who, fields, f"{OWN_FORM} button[type=submit]", status)


# What can go wrong on the way to a provider and back, with the status of its page; and how much of it where.
TROUBLES = {
    "authorization_expired": 400,
    "authorization_denied": 403,
    "provider_answer_refused": 400,
    "provider_unavailable": 503,
    "provider_email_unverified": 403,
    "identity_tied": 409,
    "identity_elsewhere": 409,
    "identity_blocked": 403,
    "account_disabled": 403,
    "email_unverified": 403,
    "sign_in_expired": 410,
    "provider_proof_too_old": 403,
}
OF_LINKING = ("authorization_denied", "provider_unavailable", "identity_tied", "identity_elsewhere")
OF_PROOFS = ("authorization_denied", "provider_proof_too_old", "identity_elsewhere", "identity_blocked")
TROUBLE = "/login/google/callback?trouble={}&intent={}"


def _trouble(code: str, intent: str, status: int, who: str = "", more: str = "") -> Stop:
    """The page for a refusal on the way to a provider and back."""
    return Stop(
        f"trouble-{intent}-{code}{'-app' if more else ''}", TROUBLE.format(code, intent) + more, who, status=status
    )


LONG_WORDS = "안녕하세요반갑습니다" * 9
STOPS = (
    Stop("home", "/"),
    Stop("register", "/register"),
    _sent("register-empty", "/register"),
    _sent("register-refused", "/register", name=LONG_WORDS, email="not an address", password="too short"),
    _sent("register-sent", "/register", status=200, email="another@example.com", password=NEW_PASSWORD),
    Stop("verify", "{verify}"),
    Stop("login", "/login"),
    _sent("login-empty", "/login"),
    _sent("login-refused", "/login", email="nobody@example.com", password=NEW_PASSWORD),
    Stop("login-ended-elsewhere", "/account", "away"),
    Stop("second", "/login/verify", "halfway"),
    _sent("second-refused", "/login/verify", who="halfway", code="123456"),
    Stop("second-recovery", "/login/verify?method=recovery", "halfway"),
    Stop("second-passkey", "/login/verify", "halfway-by-passkey"),
    Stop("mailed", "/login/mail"),
    _sent("mailed-empty", "/login/mail"),
    _sent("mailed-sent", "/login/mail", status=200, email="nobody@example.com"),
    Stop("mailed-code-refused", "/login/mail/code", "mailed", {"code": "12345678"}, "main form button", 422),
    Stop("mailed-link", "{mailed}", "mailed"),
    Stop("mailed-link-elsewhere", "{mailed}"),
    Stop("keep", "/login/keep", "leaving"),
    Stop("forgot", "/password/forgot"),
    _sent("forgot-empty", "/password/forgot"),
    _sent("forgot-sent", "/password/forgot", status=200, email=f"{'nobody.at.all' * 4}@{'mail.' * 12}example.com"),
    Stop("reset", "{reset}"),
    _sent("reset-refused", "{reset}", password="qwertyuiopasdfghjkl"),
    Stop("confirm-email", "{confirm}", "busy"),
    Stop("undo-email", "{undo}"),
    Stop("dead-link", "{used}", status=410),
    Stop("dead-link-cut", "/verify-email/x", status=410),
    Stop("welcome", "/account/welcome", "welcomed"),
    Stop("connect", "/login/google/connect", "asked"),
    _sent("connect-refused", "/login/google/connect", who="asked", password="wrong"),
    Stop("connect-without-password", "/login/google/connect", "asked-without-password"),
    Stop("connect-here", "/login/google/connect", "asked-here"),
    Stop("connect-over", "/login/google/connect", status=410),
    *(_trouble(code, "sign_in", status) for code, status in TROUBLES.items()),
    *(_trouble(code, "link", TROUBLES[code], "linked") for code in OF_LINKING),
    *(_trouble(code, "reauthenticate", TROUBLES[code], "linked") for code in OF_PROOFS),
    Stop("trouble-signed-in", TROUBLE.format("authorization_expired", "sign_in"), "linked", status=400),
    _trouble("identity_tied", "app", 409, more="&way_back=com.example.app:/callback"),
    Stop("connections", "/account/connections", "linked"),
    Stop("connections-none", "/account/connections", "busy"),
    Stop("connections-two", "/account/connections", "linked-twice"),
    Stop("connections-blocked", "/account/connections", "blocked"),
    Stop("connections-first", "/account/connections", "welcomed"),
    Stop(
        "connections-last-way-in", "/account/connections", "welcomed", press="form[action$=unlink] button", status=422
    ),
    Stop("first-password", "/account/password", "welcomed"),
    _sent("first-password-refused", "/account/password", who="welcomed", new_password="short"),
    Stop("email-suggested", "/account/email?like=google", "linked"),
    Stop("profile-without-password", "/account", "welcomed"),
    Stop("reauthenticate-with-provider", "/reauthenticate?next=/account/connections", "linked"),
    Stop("reauthenticate-without-password", "/reauthenticate?next=/account/connections", "welcomed"),
    Stop("reauthenticate", "/reauthenticate", "busy"),
    _sent("reauthenticate-refused", "/reauthenticate", who="busy", password="wrong"),
    Stop("reauthenticate-with-factors", "/reauthenticate", "guarded"),
    Stop("reauthenticate-by-passkey", "/reauthenticate", "passkeys"),
    Stop("reauthenticate-second", "/reauthenticate/verify", "proving"),
    _sent("reauthenticate-second-refused", "/reauthenticate/verify", who="proving", code="123456"),
    Stop("reauthenticate-recovery", "/reauthenticate/verify?method=recovery", "proving"),
    Stop("security-nothing", "/account/security", "new"),
    Stop("security-without-password", "/account/security", "welcomed"),
    Stop("security-totp", "/account/security", "totp"),
    Stop("security-passkeys", "/account/security", "passkeys"),
    Stop("security-few", "/account/security", "few"),
    Stop("security-everything", "/account/security", "guarded"),
    Stop("set-up", "/account/security/set-up", "new"),
    Stop("totp", "/account/security/totp", "new"),
    _sent("totp-refused", "/account/security/totp", who="new", code="123456"),
    Stop("passkeys-none", "/account/security/passkeys", "new"),
    Stop("passkeys", "/account/security/passkeys", "guarded"),
    Stop("passkeys-rename", "/account/security/passkeys", "guarded", press="main summary"),
    Stop("recovery-codes", "/account/security/recovery-codes", "few"),
    Stop("recovery-codes-first", "/account/security/recovery-codes", "totp"),
    _sent("recovery-codes-made", "/account/security/recovery-codes", who="totp", status=200),
    Stop("sessions-two-factors", "/account/sessions", "guarded"),
    Stop("profile", "/account", "busy"),
    Stop("profile-nameless", "/account", "new"),
    Stop("profile-long", "/account", "long"),
    _sent("profile-saved", "/account", who="new", status=200),
    Stop("password", "/account/password", "busy"),
    _sent("password-empty", "/account/password", who="busy"),
    _sent("password-refused", "/account/password", who="busy", current_password="wrong", new_password=NEW_PASSWORD),
    Stop("email", "/account/email", "new"),
    Stop("email-pending", "/account/email", "busy"),
    Stop("email-pending-long", "/account/email", "long"),
    _sent("email-refused", "/account/email", who="busy", email="not an address"),
    Stop("sessions", "/account/sessions", "busy"),
    Stop("sessions-alone", "/account/sessions", "new"),
    Stop("sessions-long", "/account/sessions", "long"),
    Stop("activity", "/account/activity", "busy"),
    Stop("activity-short", "/account/activity", "new"),
    Stop("activity-not-me", "/account/activity", "long", press="main summary"),
    Stop("data", "/account/data", "busy"),
    Stop("data-delete", "/account/data", "long", press="main summary"),
    Stop("api-docs", "/api/v1/docs"),
    Stop("app-refused", "/api/v1/auth/google/authorize?redirect_uri=com.unknown.app:/", status=422),
    Stop("dev-mail", "/dev/mail"),
    Stop("dev-mail-message", "/dev/mail", press=".rows a"),
    Stop("error-404", "/nothing/here", status=404),
    Stop("error-405", "/logout", "busy", status=405),
    *(Stop(f"error-{status}", status=status) for status in (400, 403, 413, 429, 500, 503)),
    Stop("form-left-open", "/register", fill={"name": "Alice", "email": "alice@example.com"}, press="left", status=400),
)


class Visitor:
    """Goes to the stops in one browser, as the people of one household."""

    def __init__(self, context: BrowserContext, household: Household, language: str) -> None:
        self._context, self._household, self._language = context, household, language
        self.page: Page = context.new_page()
        self.page.route(f"**{REFUSED}*", self._refuse)
        self.page.route(re.compile(r"/callback\?trouble="), self._refuse)

    def tour(self) -> Iterator[Stop]:
        """Every stop in turn, standing there."""
        for stop in STOPS:
            self.go(stop)
            yield stop

    def go(self, stop: Stop) -> None:
        """Stand at a stop. Fails where the page answers with another status than the stop says."""
        self._context.clear_cookies()
        self._context.add_cookies(self._household.cookies.get(stop.who, []))
        path = f"{REFUSED}{stop.status}" if stop.path == REFUSED else stop.path.format(**self._household.links)
        status = self._status_of(lambda: self.page.goto(path))
        for name, text in stop.fill.items():
            self.page.locator(f"main [name={name}]").fill(text)
        if stop.press == "left":
            self._context.clear_cookies()
        if stop.press == "main summary":
            self.page.locator(stop.press).first.click()
        elif stop.press:
            button = f"{OWN_FORM} button[type=submit]" if stop.press == "left" else stop.press
            status = self._status_of(lambda: self.page.locator(button).first.click())
        assert status == stop.status, f"{stop.name} answered {status}"

    def _status_of(self, act: Callable[[], object]) -> int:
        """The status of the page that `act` leads to, redirects followed."""
        with self.page.expect_navigation() as navigation:
            act()
        response = navigation.value
        assert response is not None
        return response.status

    def _refuse(self, route: Route) -> None:
        client = self._household.app.test_client(use_cookies=False)
        url = urlsplit(route.request.url)
        cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in self._context.cookies())
        response = client.get(
            f"{url.path}?{url.query}",
            base_url=urljoin(route.request.url, "/"),
            headers={"Accept-Language": self._language, "Cookie": cookies},
        )
        route.fulfill(status=response.status_code, headers=dict(response.headers), body=response.data)
