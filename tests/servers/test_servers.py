"""The servers that the store tests run on keep their promises."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import sqlalchemy

from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerDirectory, wait_until
from tests.servers.valkey import ValkeyServer


def run(url: str, statement: str) -> list[object]:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        result = connection.exec_driver_sql(statement)
        return list(result.scalars()) if result.returns_rows else []


def make_notes(url: str) -> None:
    run(url, "CREATE TABLE notes (text varchar NOT NULL)")
    run(url, "INSERT INTO notes VALUES ('안녕')")


def test_a_database_is_a_copy_of_its_template(postgres_server: PostgresServer) -> None:
    template = postgres_server.template_database("notes", make_notes)
    copy = postgres_server.new_database(template)
    assert run(copy, "SELECT text FROM notes") == ["안녕"]
    postgres_server.drop_database(copy)
    with pytest.raises(sqlalchemy.exc.OperationalError):
        run(copy, "SELECT 1")


def test_what_was_committed_survives_a_restart_of_postgresql(postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    make_notes(url)
    postgres_server.stop()
    try:
        with pytest.raises(sqlalchemy.exc.OperationalError):
            run(url, "SELECT 1")
    finally:
        postgres_server.start()
    assert run(url, "SELECT text FROM notes") == ["안녕"]


def test_an_outage_cuts_one_database_off_and_ends(postgres_server: PostgresServer) -> None:
    url, other = postgres_server.new_database(), postgres_server.new_database()
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        with postgres_server.outage(url):
            with pytest.raises(sqlalchemy.exc.OperationalError):
                connection.exec_driver_sql("SELECT 1")
            with pytest.raises(sqlalchemy.exc.OperationalError):
                run(url, "SELECT 1")
            assert run(other, "SELECT 1") == [1]
    engine.dispose()
    assert run(url, "SELECT 1") == [1]


def test_valkey_answers_forgets_and_comes_back(valkey_server: ValkeyServer) -> None:
    with redis.Redis.from_url(valkey_server.url, retry=None) as client:
        client.set("greeting", "안녕")
        assert client.get("greeting") == "안녕".encode()
        valkey_server.flush()
        assert client.get("greeting") is None
        with valkey_server.outage(), pytest.raises(redis.ConnectionError):
            client.ping()
        assert client.ping()
    hasty = redis.Redis.from_url(valkey_server.url, retry=None, socket_timeout=0.2)
    with hasty, valkey_server.frozen(), pytest.raises(redis.TimeoutError):
        hasty.ping()


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # empty for one that ended and was not yet waited for
    except FileNotFoundError:
        return False


@pytest.fixture
def alone() -> Iterator[str]:
    """A folder for files of servers in which no other run tidies up; with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="killed-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user and has to pass
        yield folder


KILLED_RUN = """
import os, signal
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer
servers = PostgresServer(), ValkeyServer()
print(*(f"{server._process.pid} {server._directory.path}" for server in servers), sep="\\n", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_a_killed_test_run_leaves_no_server_and_its_files_go_with_the_next(
    monkeypatch: pytest.MonkeyPatch, alone: str
) -> None:
    monkeypatch.setenv("TMPDIR", alone)
    monkeypatch.setattr(tempfile, "tempdir", alone)
    killed = subprocess.run([sys.executable, "-c", KILLED_RUN], capture_output=True, text=True, check=False)
    left = [line.split() for line in killed.stdout.splitlines()]
    assert len(left) == 2, killed.stderr
    wait_until(lambda: not any(runs(int(pid)) for pid, _ in left))
    ServerDirectory().remove()
    assert not any(Path(directory).exists() for _, directory in left)
