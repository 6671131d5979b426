"""A copy that was made while the site ran brings everybody back, signed in nowhere."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

import psycopg
import pytest

from tests.people import PASSWORD
from tests.servers.fixtures import NewSite
from tests.servers.postgres import PostgresServer, installed_binaries
from tests.servers.site import PROJECT_ROOT, LiveSite
from tests.servers.test_gunicorn import Visitor, new_person

EMAIL = "kept@example.com"


def run(site: LiveSite, script: str, file: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(PROJECT_ROOT / "scripts" / script), str(file)]
    env = {**site.environment, "PYTHON": sys.executable, **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def comes_back(
    site: LiveSite,
    file: Path,
    lose: Callable[[], dict[str, str]],
    *,
    restored_by: dict[str, str] | None = None,
    **environment: str,
) -> None:
    person = new_person(site, EMAIL)
    site.flask("keys", "rotate")
    made = run(site, "backup.sh", file, **environment)
    assert made.returncode == 0, made.stderr
    assert file.stat().st_mode & 0o077 == 0
    assert run(site, "backup.sh", file, **environment).returncode == 1, "an older copy is not written over"
    site.stop()
    site.environment.update(lose())
    restored = run(site, "restore.sh", file, **environment, **(restored_by or {}))
    assert restored.returncode == 0, restored.stdout + restored.stderr
    site.start()
    assert not person.is_signed_in, "a session that was ended since the copy could be back"
    assert Visitor(site).sign_in(EMAIL, PASSWORD) == 303
    states = [line.split()[1] for line in site.flask("keys", "list").splitlines()]
    assert states == ["gone", "gone", "active"], "one that was taken back since the copy could be back"


def test_sqlite_comes_back_from_a_copy(new_site: NewSite, tmp_path: Path) -> None:
    site = new_site(RATELIMIT_ENABLED="0")

    def lose() -> dict[str, str]:
        for file in site.instance.glob("app.db*"):
            file.unlink()
        return {}

    comes_back(site, tmp_path / "copy.db", lose)


def test_postgresql_comes_back_from_a_copy(new_site: NewSite, postgres_server: PostgresServer, tmp_path: Path) -> None:
    tools = installed_binaries()
    if not (tools / "pg_dump").exists():
        pytest.skip("the embedded PostgreSQL has no pg_dump")
    site = new_site(RATELIMIT_ENABLED="0", DATABASE_URL=postgres_server.new_database())
    old = site.environment["DATABASE_URL"]

    def lose() -> dict[str, str]:
        postgres_server.drop_database(old)
        return {"DATABASE_URL": postgres_server.new_database()}

    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    comes_back(site, tmp_path / "copy.dump", lose, PATH=path)


class TwoRoles(LiveSite):
    """A site whose tables belong to one role, and which runs as another (deploy/postgres/10-roles.sh)."""

    @property
    def as_owner(self) -> dict[str, str]:
        return {"DATABASE_URL": self.environment["DATABASE_URL"].replace("//site@", "//site_owner@")}

    def _migrate(self) -> None:
        mine = self.environment["DATABASE_URL"]
        self.environment |= self.as_owner
        super()._migrate()
        self.environment["DATABASE_URL"] = mine


def test_the_role_of_the_site_has_its_rights_and_no_more_before_and_after_a_restore(tmp_path: Path) -> None:
    tools = installed_binaries()
    if not (tools / "pg_dump").exists():
        pytest.skip("the embedded PostgreSQL has no pg_dump")
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    with closing(PostgresServer()) as server:
        admin = server.url_of("postgres").replace("+psycopg", "")
        host = unquote(admin.partition("host=")[2])
        secrets = {"SITE_OWNER_PASSWORD": "o", "SITE_PASSWORD": "s", "PGHOST": host, "PATH": path}
        subprocess.run(["sh", PROJECT_ROOT / "deploy" / "postgres" / "10-roles.sh"], env=secrets, check=True)

        def lose() -> dict[str, str]:
            with psycopg.connect(admin, autocommit=True) as connection:
                connection.execute("DROP DATABASE site WITH (FORCE)")
                connection.execute("CREATE DATABASE site OWNER site_owner")
                connection.execute("REVOKE ALL ON DATABASE site FROM PUBLIC")
                connection.execute("GRANT CONNECT ON DATABASE site TO site")
            return {}

        site_url = server.url_of("site").replace("//postgres@", "//site@")
        with closing(TwoRoles(RATELIMIT_ENABLED="0", DATABASE_URL=site_url)) as site:
            comes_back(site, tmp_path / "copy.dump", lose, restored_by=site.as_owner, PATH=path)
            may_only_read_and_write_rows(site_url.replace("+psycopg", ""))
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(admin.replace("//postgres@", "//site@")).close()


def may_only_read_and_write_rows(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (
            "CREATE TABLE more (id int)",
            "CREATE TEMPORARY TABLE more (id int)",
            "DROP TABLE users",
            "UPDATE alembic_version SET version_num = ''",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_a_copy_is_not_put_over_a_database_that_is_there(new_site: NewSite, tmp_path: Path) -> None:
    site = new_site(RATELIMIT_ENABLED="0")
    assert run(site, "backup.sh", tmp_path / "copy.db").returncode == 0
    assert run(site, "restore.sh", tmp_path / "copy.db").returncode == 1
