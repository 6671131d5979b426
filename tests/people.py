"""People at browsers, and their mailboxes. Every request is one of its own, as it is in life."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from webapp.gateways.mail_transport import transport_for
from webapp.http.mail_rendering import render
from webapp.services import outbox
from webapp.services.runtime import Runtime

PASSWORD = "seven quiet otters crossing"
NEW_PASSWORD = "eight louder herons landing"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
_LINK = re.compile(r"https?://\S+")


class _Forms(HTMLParser):
    """The hidden fields of a page's forms, by the form's action ("" for the page itself)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.hidden: dict[str, dict[str, str]] = {}
        self._action: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag == "form":
            self._action = values.get("action", "")
            self.hidden.setdefault(self._action, {})
        elif tag == "input" and values.get("type") == "hidden" and self._action is not None:
            self.hidden[self._action][values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._action = None


class Browser:
    """One browser of one person. It keeps its cookies, fills in forms it has opened, and follows no redirect itself."""

    def __init__(self, app: Flask, *, ip: str = "127.0.0.1", user_agent: str = CHROME, language: str = "en") -> None:
        self.app = app
        self.base_url = app.extensions["runtime"].settings.PUBLIC_URL
        self.client: FlaskClient = app.test_client()
        self._environ = {"REMOTE_ADDR": ip}
        self._headers = {"User-Agent": user_agent, "Accept-Language": language}

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        """Open a page."""
        return self._request("GET", path, **kwargs)

    def post(self, path: str, data: Any = None, **kwargs: Any) -> TestResponse:
        """Send a form as it is, without opening its page before."""
        return self._request("POST", path, data=data, **kwargs)

    def open(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        """Ask in any other way."""
        return self._request(method, path, **kwargs)

    def submit(self, page: str, action: str = "", **fields: Any) -> TestResponse:
        """Open `page`, fill in the form on it that goes to `action` (itself, by default), and send it."""
        opened = self.get(page)
        forms = _Forms(opened.text).hidden
        assert action in forms, f"{page} ({opened.status}) has no form to {action or 'itself'}: {list(forms)}"
        return self.post(action or page, {**forms[action], **fields})

    def cookie(self, name: str) -> str | None:
        """The value of a cookie this browser holds."""
        found = self.client.get_cookie(name, domain=self.base_url.split("//")[1].split(":")[0])
        return None if found is None else found.value

    def set_cookie(self, name: str, value: str) -> None:
        """Plant a cookie in this browser."""
        host = self.base_url.split("//")[1].split(":")[0]
        self.client.set_cookie(name, value, domain=host, secure=self.base_url.startswith("https"))

    def sign_in(self, email: str, password: str = PASSWORD, **fields: str) -> TestResponse:
        """Sign in by the form."""
        return self.submit("/login", email=email, password=password, **fields)

    def sign_out(self) -> TestResponse:
        """Sign out by the button on every page."""
        return self.submit("/account", "/logout")

    @property
    def is_signed_in(self) -> bool:
        """Whether the account opens."""
        return self.get("/account").status_code == 200

    def _request(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        headers = {**self._headers, **kwargs.pop("headers", {})}
        if method == "POST":
            headers.setdefault("Origin", self.base_url)
            headers.setdefault("Referer", self.base_url + "/")
        environ = {**self._environ, **kwargs.pop("environ_overrides", {})}
        return self.client.open(
            path, method=method, headers=headers, environ_overrides=environ, base_url=self.base_url, **kwargs
        )


class Mailbox:
    """The mails that one application has sent, as real .eml files."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        directory = app.extensions["runtime"].settings.mail_directory
        assert directory is not None
        self._directory: Path = directory

    def deliver(self) -> None:
        """Have the outbox send what is due."""
        with self._app.app_context():
            settings = self._app.extensions["runtime"].settings
            outbox.send_due(render, transport_for(settings), limit=1000)

    def mails(self, to: str | None = None) -> list[EmailMessage]:
        """What has arrived, the oldest first."""
        self.deliver()
        files = sorted(self._directory.glob("*.eml")) if self._directory.exists() else []
        parsed = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
        return [mail for mail in parsed if to is None or to in str(mail["To"])]

    def newest(self, to: str) -> EmailMessage:
        """The newest mail to an address."""
        mails = self.mails(to)
        assert mails, f"no mail to {to}"
        return mails[-1]

    def link(self, to: str, containing: str = "/") -> str:
        """The path of the first link in the newest mail to `to` that holds one with `containing`."""
        for mail in reversed(self.mails(to)):
            for address in _LINK.findall(text_of(mail)):
                path = "/" + address.split("/", 3)[3] if address.count("/") >= 3 else "/"
                if containing in path:
                    return path.rstrip(".,)>")
        raise AssertionError(f"no link with {containing} in the mails to {to}")


def text_of(mail: EmailMessage) -> str:
    """The plain text of a mail."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def runtime_of(app: Flask) -> Runtime:
    """The collaborators of one application."""
    found: Runtime = app.extensions["runtime"]
    return found
