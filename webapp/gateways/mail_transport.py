"""How mails leave: by SMTP, or as files on a development machine. Chosen by MAIL_URL.

smtp://user:password@host:25?starttls=1   STARTTLS demanded, not hoped for (RFC 3207)
smtps://user:password@host:465            TLS from the first byte (RFC 8314)
file:directory                            one .eml file a message
"""

import os
import re
import secrets
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.headerregistry import Address, AddressHeader
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import idna

from webapp import clock
from webapp.settings import Settings, SettingsError

TIMEOUT = 10  # seconds for each step of the talk with a mail server
_ADDRESS = re.compile(r'[^\s\x00-\x1f\x7f@<>()\[\],;:\\"]+@[^\s\x00-\x1f\x7f@<>()\[\],;:\\"]+')
_SIGN_IN_CODES = {530, 534, 535, 538}  # RFC 4954: about us and our password, not about the recipient
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class MailFailed(Exception):
    """A mail did not go out. `reason` is safe to log: it never holds an address or the server's words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MailRefused(MailFailed):
    """It never will: the address is no address, or the server refuses it for good (5xx)."""


class MailTemporarilyFailed(MailFailed):
    """It may go out later: no connection, no TLS, a full mailbox (4xx), a sign-in that an operator can mend."""


class MailTransport(Protocol):
    """A way out for mails."""

    def send(self, message: EmailMessage) -> None:
        """Hand over one message to its one recipient. Raises MailRefused or MailTemporarilyFailed."""

    def check(self) -> None:
        """Go as far as one can without a message. Raises MailTemporarilyFailed."""


def transport_for(settings: Settings) -> MailTransport:
    """The transport that MAIL_URL asks for. Raises SettingsError where the URL makes no sense or is unsafe."""
    if settings.mail_directory is not None:
        return FileTransport(settings.mail_directory)
    return _smtp_transport(settings.MAIL_URL, greeting=settings.host)


def mail_address(text: str) -> Address:
    """`text` as exactly one address, its domain in the form DNS knows. Raises MailRefused.

    "a@example.org, b@example.net" is two; a line break would be a header of somebody else's making (ASVS 1.3.11).
    """
    if not _ADDRESS.fullmatch(text):
        raise MailRefused("address")
    local, _, domain = text.rpartition("@")
    try:
        return Address(username=local, domain=_ascii_domain(domain))
    except ValueError:  # UnicodeError among them
        raise MailRefused("address") from None


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain.encode("idna").decode()  # checks its labels
    # IDNA 2008 (RFC 5891), as DNS has it. Python's own codec is of 2003 and takes straße.de for strasse.de, which may
    # be somebody else's: the mail would be theirs.
    return idna.encode(domain, uts46=True).decode()


@dataclass(frozen=True)
class SmtpTransport:
    """Sends through a mail server, one connection a message."""

    host: str
    port: int
    implicit_tls: bool = False
    starttls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    greeting: str = "localhost"  # the name we say in EHLO
    timeout: float = TIMEOUT

    def send(self, message: EmailMessage) -> None:
        sender, recipient = _only_address(message, "From"), _only_address(message, "To")
        smtp = self._connection()
        try:
            smtp.send_message(message, sender, [recipient])
        except smtplib.SMTPRecipientsRefused as error:
            raise _judged(error.recipients[recipient][0]) from None
        except smtplib.SMTPDataError as error:
            raise _judged(error.smtp_code) from None
        except smtplib.SMTPSenderRefused as error:
            raise MailTemporarilyFailed(f"sender {error.smtp_code}") from None
        except smtplib.SMTPNotSupportedError:  # an address that is not ASCII, to a server that is
            raise MailRefused("smtputf8") from None
        except OSError as error:
            raise MailTemporarilyFailed(type(error).__name__) from None
        finally:
            _say_goodbye(smtp)

    def check(self) -> None:
        smtp = self._connection()
        try:
            smtp.ehlo_or_helo_if_needed()
        except OSError as error:
            raise MailTemporarilyFailed(type(error).__name__) from None
        finally:
            _say_goodbye(smtp)

    def _connection(self) -> smtplib.SMTP:
        tls = ssl.create_default_context()
        try:
            if self.implicit_tls:
                smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                    self.host, self.port, self.greeting, timeout=self.timeout, context=tls
                )
            else:
                smtp = smtplib.SMTP(self.host, self.port, self.greeting, timeout=self.timeout)
        except OSError as error:
            raise MailTemporarilyFailed(type(error).__name__) from None
        try:
            if self.starttls:
                smtp.starttls(context=tls)
            if self.user:
                smtp.login(self.user, self.password)
        except (OSError, ValueError) as error:
            smtp.close()
            raise MailTemporarilyFailed(type(error).__name__) from None
        return smtp


@dataclass(frozen=True)
class FileTransport:
    """Writes each message into a file that only its owner can read, named by time and Message-ID."""

    directory: Path

    def send(self, message: EmailMessage) -> None:
        _only_address(message, "To")
        identity = re.sub(r"[^A-Za-z0-9.-]", "_", str(message["Message-ID"]).strip("<>"))
        name = f"{clock.now():%Y%m%dT%H%M%S.%fZ}-{identity}"
        draft = self.directory / f".{name}.{secrets.token_hex(4)}"
        self._make_directory()
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(message.as_bytes())
                stream.flush()
                os.fsync(stream.fileno())
            draft.rename(self.directory / f"{name}.eml")  # a reader sees the whole message or none
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise MailTemporarilyFailed(type(error).__name__) from None

    def check(self) -> None:
        self._make_directory()
        if not os.access(self.directory, os.W_OK | os.X_OK):
            raise MailTemporarilyFailed("PermissionError")

    def _make_directory(self) -> None:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise MailTemporarilyFailed(type(error).__name__) from None


def _say_goodbye(smtp: smtplib.SMTP) -> None:
    # Once the server has said yes, nothing in the farewell may look like a failure: the mail would go twice.
    with suppress(OSError):
        smtp.quit()
    smtp.close()


def _smtp_transport(url: str, *, greeting: str) -> SmtpTransport:
    parts = _parts(url)
    options = parse_qs(parts.query, keep_blank_values=True)
    implicit, starttls = parts.scheme == "smtps", options.pop("starttls", ["0"]) == ["1"]
    if not parts.hostname or parts.path not in ("", "/") or options or (implicit and starttls):
        raise SettingsError("MAIL_URL: must look like smtp://user:password@host:port?starttls=1 or smtps://host")
    if parts.username and not (implicit or starttls or parts.hostname in _LOOPBACK):
        raise SettingsError("MAIL_URL: a password needs smtps:// or ?starttls=1, or it travels in the clear")
    usual_port = 465 if implicit else 587 if starttls else 25
    return SmtpTransport(
        host=parts.hostname,
        port=parts.port or usual_port,
        implicit_tls=implicit,
        starttls=starttls,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        greeting=greeting if "." in greeting else "localhost",
    )


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise SettingsError("MAIL_URL: is not an address") from None
    return parts


def _only_address(message: EmailMessage, header: str) -> str:
    value = message[header]
    if not isinstance(value, AddressHeader) or len(value.addresses) != 1:
        raise MailRefused(header.lower())
    address = value.addresses[0]
    return f"{address.username}@{mail_address(address.addr_spec).domain}"


def _judged(code: int) -> MailFailed:
    permanent = 500 <= code <= 599 and code not in _SIGN_IN_CODES
    return MailRefused(str(code)) if permanent else MailTemporarilyFailed(str(code))
