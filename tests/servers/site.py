"""The site as an operator runs it: the real wsgi.py under gunicorn, two workers, on a free loopback port."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from http.client import HTTPConnection
from pathlib import Path

from tests.people import text_of
from tests.servers.process import ServerDirectory, ServerProcess, wait_until

PROJECT_ROOT = Path(__file__).resolve().parents[2]
KEPT_FROM_OUTSIDE = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")


class LiveSite:
    """One running site with its own database, key and mails. Settings are given as environment variables."""

    application = "wsgi:app"
    _migrated = b""  # an empty database of the present schema

    def __init__(self, **settings: str) -> None:
        self._directory = ServerDirectory()
        # The port stays ours while gunicorn is stopped and started; gunicorn inherits the open socket.
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.instance = self._directory.path / "instance"
        self.mail_directory = self.instance / "mail"
        self.environment = {
            **{name: os.environ[name] for name in KEPT_FROM_OUTSIDE if name in os.environ},
            "PUBLIC_URL": self.url,
            "INSTANCE_PATH": str(self.instance),
            "DATABASE_URL": f"sqlite:///{self.instance / 'app.db'}",
            "MAIL_URL": f"file:{self.mail_directory}",
            "WEB_CONCURRENCY": "2",
            "DATABASE_TIMEOUT_SECONDS": "30",  # the machine may have other things to do for some
            "BIND": f"fd://{self._socket.fileno()}",
            **settings,
        }
        self._process = ServerProcess(
            [sys.executable, "-m", "gunicorn", "--config", PROJECT_ROOT / "gunicorn.conf.py", self.application],
            log=self._directory.path / "gunicorn.log",
            is_ready=self._answers,
            environment=self.environment,
            pass_fds=[self._socket.fileno()],
        )
        try:
            self.instance.mkdir()
            self._migrate()
            self.start()
        except BaseException:
            self.close()
            raise

    def _migrate(self) -> None:
        """As an operator would; an own SQLite file once for all sites of a run, since it is the same for all."""
        file = self.instance / "app.db"
        if self.environment["DATABASE_URL"] == f"sqlite:///{file}" and LiveSite._migrated:
            file.write_bytes(LiveSite._migrated)
            return
        self.flask("db", "upgrade")
        if file.exists():
            LiveSite._migrated = file.read_bytes()

    def start(self) -> None:
        """Start gunicorn and return when it answers."""
        self._process.start()

    def stop(self) -> None:
        """Stop gunicorn as an operator does, requests under way finished; the data stays."""
        self._process.stop()

    def close(self) -> None:
        """Stop gunicorn and remove everything."""
        self._process.stop()
        self._socket.close()
        self._directory.remove()

    def flask(self, *arguments: str) -> str:
        """What `flask --app wsgi ARGUMENTS` prints for this site. Fails the test when the command fails."""
        result = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            cwd=PROJECT_ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    @property
    def pid(self) -> int:
        """The process id of gunicorn's master."""
        return self._process.pid

    @property
    def log_text(self) -> str:
        """What gunicorn and the application have printed so far."""
        return self._process.log_text

    @property
    def mails(self) -> list[EmailMessage]:
        """Every mail sent so far, oldest first."""
        files = sorted(self.mail_directory.glob("*.eml"), key=lambda file: (file.stat().st_mtime_ns, file.name))
        return [BytesParser(policy=policy.default).parsebytes(file.read_bytes()) for file in files]

    def mails_to(self, address: str) -> list[EmailMessage]:
        """Every mail sent so far to `address`, oldest first."""
        return [mail for mail in self.mails if address in str(mail["To"])]

    @contextmanager
    def next_mail(self, address: str, holding: str = "") -> Iterator["ExpectedMail"]:
        """Within the block something happens that sends a mail to `address`; afterwards the mail is there. Say what it
        holds where others may be under way.
        """
        before = len(self.mails_to(address))

        def new() -> list[EmailMessage]:
            return [mail for mail in self.mails_to(address)[before:] if holding in text_of(mail)]

        expected = ExpectedMail()
        yield expected
        wait_until(lambda: bool(new()))
        expected.message = new()[0]

    def _answers(self) -> bool:
        # A connection alone proves nothing: the socket is ours and open before gunicorn is.
        connection = HTTPConnection("127.0.0.1", self._socket.getsockname()[1], timeout=60)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


class ExpectedMail:
    """The mail that `LiveSite.next_mail` waited for."""

    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text part."""
        return text_of(self.message)

    @property
    def link(self) -> str:
        """The first address in the plain text."""
        found = re.search(r"https?://\S+", self.text)
        assert found is not None, self.text
        return found.group()
