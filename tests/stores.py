"""What an application of a test stands on: SQLite alone, or PostgreSQL and Valkey."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask_migrate import upgrade

from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer
from webapp import create_app
from webapp.extensions import db
from webapp.settings import Settings


@dataclass(frozen=True)
class Stores:
    """Where sessions, limits and everything else lie."""

    name: str
    database_url: str
    redis_url: str = ""


def migrated(url: str) -> None:
    """Bring the database at `url` to the present schema, as an operator would."""
    app = create_app(Settings.checked(APP_ENV="testing", SECRET_KEY="k" * 40, DATABASE_URL=url))
    with app.app_context():
        upgrade()
        db.engine.dispose()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to copy."""
    file = tmp_path_factory.mktemp("template") / "template.db"
    migrated(f"sqlite:///{file}")
    return file


@pytest.fixture
def sqlite(tmp_path: Path, migrated_sqlite: Path) -> Stores:
    """One machine: everything in SQLite."""
    file = tmp_path / "app.db"
    shutil.copyfile(migrated_sqlite, file)
    return Stores("sqlite", f"sqlite:///{file}")


@pytest.fixture
def postgres(postgres_server: PostgresServer, valkey_server: ValkeyServer) -> Iterator[Stores]:
    """Many machines: PostgreSQL, and Valkey for sessions and limits."""
    template = postgres_server.template_database("migrated", migrated)
    url = postgres_server.new_database(template)
    valkey_server.flush()
    yield Stores("postgres", url, valkey_server.url)
    postgres_server.drop_database(url)


@pytest.fixture(params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """Each test that stands on stores runs on both kinds."""
    found: Stores = request.getfixturevalue(request.param)
    return found
