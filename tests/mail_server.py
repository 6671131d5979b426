"""A real mail server on loopback that can be told to refuse, to break off, or to take its time."""

import asyncio
import ipaddress
import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from webapp import clock

logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd tells of every connection that ends

USER, PASSWORD = "post", "p@ss/word"


@dataclass
class MailServer:
    """What arrives, and how the server answers."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    rcpt_answer: str = "250 OK"
    data_answer: str = "250 OK"
    drops: bool = False  # closes the connection when the message comes
    at_data: threading.Event = field(default_factory=threading.Event)  # a message is coming
    holds: threading.Event = field(default_factory=threading.Event)  # set: keep it waiting for an answer

    @property
    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(envelope.content, policy=policy.default) for envelope in self.envelopes]

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt_answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt_answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.at_data.set()
        while self.holds.is_set():
            await asyncio.sleep(0.01)
        if self.drops:
            server.transport.abort()
        elif self.data_answer.startswith("250") and not server.transport.is_closing():
            self.envelopes.append(envelope)
        return self.data_answer


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: LoginPassword
) -> AuthResult:
    knows = login == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=knows, handled=knows)


@contextmanager
def running_mail_server(
    *, implicit_tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None
) -> Iterator[MailServer]:
    """A mail server on a free port. Over TLS it knows USER with PASSWORD, and after STARTTLS it demands them."""
    server = MailServer()
    loop = asyncio.new_event_loop()
    over_tls = bool(implicit_tls or starttls)

    def protocol() -> SMTP:
        return SMTP(
            server,
            loop=loop,
            hostname="localhost",
            enable_SMTPUTF8=True,
            tls_context=starttls,
            require_starttls=bool(starttls),
            authenticator=_authenticate if over_tls else None,
            auth_required=bool(starttls),
            auth_require_tls=bool(starttls),
        )

    async def start() -> asyncio.Server:
        return await loop.create_server(protocol, "127.0.0.1", 0, ssl=implicit_tls)

    async def stop(listening: asyncio.Server) -> None:
        listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    # All of the loop's life is in a thread of its own: in this one, a browser of another test may have a loop running.
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(start(), loop).result(60)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.holds.clear()
        asyncio.run_coroutine_threadsafe(stop(listening), loop).result(60)
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def self_signed(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for 127.0.0.1, and the file of the certificate that a client must trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = directory / "certificate.pem", directory / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return context, certificate_file
