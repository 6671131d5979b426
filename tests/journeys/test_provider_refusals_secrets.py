"""What goes to and fro between a provider and us is in no log, on no page, in no cookie and in no header."""

import logging
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from stand_in.grants import Grant
from stand_in.people import COMPANY, ELSEWHERE, GMAIL
from tests.apps import App
from tests.conftest import NewApp
from tests.people import PASSWORD, Browser, Mailbox
from tests.providers import faults, forgeries
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back, google_settings, leave
from tests.rows import Rows, on_sqlite

pytestmark = on_sqlite

EXTRA_SCOPE = "https://www.googleapis.com/auth/calendar.readonly"


class Watched(Browser):
    """A browser that remembers every answer."""

    answers: list[TestResponse]

    def _request(self, method: str, path: str, **kwargs: object) -> TestResponse:
        answer = super()._request(method, path, **kwargs)
        self.__dict__.setdefault("answers", []).append(answer)
        return answer


class Secrets(dict[str, str]):
    """What must stay between a provider and us, with what it is."""

    def note_start(self, url: str) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.update({query["state"]: "state", query["nonce"]: "nonce"})

    def found_in(self, text: str) -> list[str]:
        """Whatever is there, even the greater part of it."""
        return sorted({what for secret, what in self.items() if secret[: max(16, len(secret) // 2)] in text})


@pytest.fixture
def secrets(provider: LyingProvider, monkeypatch: pytest.MonkeyPatch) -> Secrets:
    """Fills itself with what the provider gives out and gets."""
    found = Secrets({provider.client_secret: "client secret"})
    honest_answer = provider.token_answer

    def token_answer(grant: Grant, *, nonce: str | None) -> dict[str, object]:
        answer = honest_answer(grant, nonce=nonce)
        found.update(
            {str(answer[name]): name for name in ("access_token", "refresh_token", "id_token") if name in answer}
        )
        parts = [part for part in str(answer["id_token"]).split(".")[1:] if part]
        found.update(dict.fromkeys(parts, "part of the id_token"))
        found.update({request.form["code_verifier"]: "code verifier" for request in provider.asked("token")})
        found.update({request.form["code"]: "code" for request in provider.asked("token")})
        return answer

    monkeypatch.setattr(provider, "token_answer", token_answer)
    return found


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider) -> Flask:
    """The site at its most talkative, with more to keep than a sign-in needs."""
    return new_app(**google_settings(provider), GOOGLE_EXTRA_SCOPES=EXTRA_SCOPE, LOG_LEVEL="DEBUG")


@pytest.fixture
def talkative(site: Flask) -> Iterator[list[str]]:
    """Every logger of every library says all it can; what they said."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"{record.name} {record.getMessage()} {record.__dict__} {self.format(record)}")

    listener = Listener()
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    levels = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    logging.getLogger().addHandler(listener)
    yield said
    logging.getLogger().removeHandler(listener)
    for logger, level in levels:
        logger.setLevel(level)


def there_and_back(browser: Watched, provider: LyingProvider, secrets: Secrets, **lies: object) -> TestResponse:
    way = leave(browser)
    secrets.note_start(way)
    person = lies.pop("person", GMAIL)
    logging.disable()  # what a browser writes down is not ours
    try:
        callback = provider.approve(way, person, **lies)  # type: ignore[arg-type]
    finally:
        logging.disable(logging.NOTSET)
    code = parse_qs(urlsplit(callback).query).get("code")
    if code:
        secrets[code[0]] = "code"
    return come_back(browser, callback)


def live_through_everything(site: Flask, provider: LyingProvider, secrets: Secrets) -> list[Watched]:
    """Every way it can go, well or badly."""
    gwen, victim, owner = Watched(site), Watched(site), Watched(site)
    owner.submit("/register", email=ELSEWHERE.email, password=PASSWORD, name="Alice")
    owner.submit(Mailbox(site).link(ELSEWHERE.email, "/verify-email/"))
    owner.sign_out()
    assert there_and_back(gwen, provider, secrets).status_code == 303
    for page in ("/account/welcome", "/account", "/account/connections", "/account/activity", "/account/sessions"):
        assert gwen.get(page).status_code == 200
    assert gwen.submit("/account/data", "/account/data/export").status_code == 200
    assert there_and_back(owner, provider, secrets, person=ELSEWHERE).status_code == 303
    assert owner.submit("/login/google/connect", password=PASSWORD).status_code == 303
    assert there_and_back(victim, provider, secrets, iss="https://evil.example").status_code == 400
    assert there_and_back(victim, provider, secrets, error="access_denied").status_code == 403
    assert there_and_back(victim, provider, secrets, state="made up").status_code == 400
    provider.lie.claims["aud"] = "another-client"
    assert there_and_back(victim, provider, secrets).status_code == 400
    provider.lie.claims = {"email": REMOVED}
    provider.lie.userinfo["sub"] = "another"
    assert there_and_back(victim, provider, secrets).status_code == 400
    provider.lie.claims.clear()
    provider.lie.sign = forgeries.alg_none
    assert there_and_back(victim, provider, secrets).status_code == 400
    provider.lie.sign = forgeries.honest
    for fault in (faults.failing(), faults.garbage(), faults.breaks_off(), faults.error("invalid_client", status=401)):
        provider.lie.answers["token"] = fault
        assert there_and_back(victim, provider, secrets).status_code in (400, 503)
    provider.lie.answers["token"] = faults.redirect(f"{provider.issuer}/elsewhere?code=leaked")
    assert there_and_back(victim, provider, secrets).status_code == 503
    provider.lie.answers.clear()
    return [gwen, victim, owner]


@pytest.mark.asvs("10.1.1")
def test_nothing_of_it_is_in_a_log_whatever_happens(
    site: Flask,
    provider: LyingProvider,
    secrets: Secrets,
    talkative: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    browsers = live_through_everything(site, provider, secrets)
    phone = App(site)
    nonce = phone.post("/auth/google/nonce").json["nonce"]
    id_token = provider.id_token(nonce=nonce, person=COMPANY)
    secrets.update({nonce: "nonce of an app", id_token: "id_token of an app"})
    assert phone.post("/auth/google/id-token", {"id_token": id_token, "nonce": nonce}).status_code == 200
    assert phone.post("/auth/google/id-token", {"id_token": id_token, "nonce": nonce}).status_code == 401
    secrets.update({str(browser.cookie("handshake")): "handshake" for browser in browsers})

    def break_down(proven: object, *_rest: object, **_more: object) -> None:
        raise RuntimeError(f"something broke over {proven!r}")

    monkeypatch.setattr("webapp.services.linking.admit", break_down)
    assert there_and_back(Watched(site), provider, secrets).status_code == 500
    assert {"state", "nonce", "code", "code verifier", "access_token", "refresh_token", "id_token"} <= {
        *secrets.values()
    }
    written = "\n".join([*talkative, *capfd.readouterr()])
    assert "provider_answer_refused" in written
    assert "provider_call_failed" in written
    assert "something broke over" in written
    assert secrets.found_in(written) == []


@pytest.mark.asvs("10.1.1")
def test_nothing_of_it_is_on_a_page_in_a_cookie_or_in_a_header(
    site: Flask, provider: LyingProvider, secrets: Secrets
) -> None:
    for browser in live_through_everything(site, provider, secrets):
        for answer in browser.answers:
            is_start = answer.status_code == 303 and answer.request.path == "/login/google"
            # What the browser carries to the provider stands in that one redirect, and nowhere else.
            carried = {"state", "nonce"} if is_start else set()
            assert set(secrets.found_in(f"{answer.headers}\n{answer.text}")) == carried, answer.request.path
        for cookie in browser.client._cookies.values():
            assert secrets.found_in(cookie.value) == [], cookie.key


def test_nothing_of_it_lies_open_in_the_database(site: Flask, provider: LyingProvider, secrets: Secrets) -> None:
    browsers = live_through_everything(site, provider, secrets)
    for _ in range(2):
        secrets.note_start(leave(browsers[1]))
    secrets.update({str(browser.cookie("handshake")): "handshake" for browser in browsers})
    kept = "\n".join(text for _, text in Rows(site).texts())
    assert GMAIL.sub in kept
    assert secrets.found_in(kept) == []


def test_no_page_that_holds_an_answer_hands_it_on(site: Flask, provider: LyingProvider, secrets: Secrets) -> None:
    """The code stands in the address of a refusal: no referrer, no cache and no other host gets it."""
    browser = Watched(site)
    provider.lie.claims["aud"] = "another-client"
    answer = there_and_back(browser, provider, secrets)
    assert answer.status_code == 400
    assert answer.headers["Referrer-Policy"] == "strict-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert 'src="http' not in answer.text
    assert provider.issuer not in answer.text
