"""The migrations build exactly what the models say, go down and up again, and nothing else makes a table."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade

from tests.conftest import NewApp
from tests.people import Browser
from tests.servers.postgres import PostgresServer
from tests.stores import Stores
from webapp.extensions import db
from webapp.models import Base
from webapp.settings import PROJECT_ROOT

VERSIONS = sorted((PROJECT_ROOT / "migrations" / "versions").glob("*.py"))


@pytest.fixture(params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """An empty database of either kind; with PostgreSQL, sessions and limits lie in it, too."""
    if request.param == "sqlite":
        yield Stores("sqlite", f"sqlite:///{tmp_path / 'app.db'}")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.new_database()
    yield Stores("postgres", url)
    server.drop_database(url)


def tables_of(app: Flask) -> set[str]:
    with app.app_context():
        return set(sa.inspect(db.engine).get_table_names())


def differences(app: Flask) -> list[object]:
    with app.app_context(), db.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_object": _not_alembics_own}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


def _not_alembics_own(_object: object, name: str | None, *_more: object) -> bool:
    return name != "alembic_version"


def test_they_build_exactly_what_the_models_say_and_go_down_and_up_again(app: Flask) -> None:
    with app.app_context():
        upgrade()
    assert tables_of(app) == {*Base.metadata.tables, "alembic_version"}
    assert differences(app) == []
    with app.app_context():
        downgrade(revision="base")
    assert tables_of(app) == {"alembic_version"}
    with app.app_context():
        upgrade()
    assert differences(app) == []


def test_a_migrated_database_is_left_as_it_is(app: Flask) -> None:
    with app.app_context():
        upgrade()
        before = db.session.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
        db.session.rollback()
        upgrade()
        assert db.session.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == before


BREAKS = """
from alembic import op
import sqlalchemy as sa
revision, down_revision = "20991231_breaks", "{before}"
def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO nowhere VALUES (1)")
"""


def test_a_migration_that_breaks_leaves_nothing_half_done(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(PROJECT_ROOT / "migrations", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "20991231_breaks.py").write_text(BREAKS.format(before=VERSIONS[-1].stem))
    with app.app_context():
        upgrade(directory=str(folder), revision=VERSIONS[-1].stem)
        with pytest.raises(sa.exc.DBAPIError):
            upgrade(directory=str(folder))
    assert "half" not in tables_of(app)
    assert Browser(app).get("/readyz").status_code == 200


UPGRADE = """
import sys
from flask_migrate import upgrade
from webapp import create_app
from webapp.settings import Settings
app = create_app(Settings.from_env())
sys.stdin.read()
with app.app_context():
    upgrade()
"""


def test_two_runs_at_once_do_no_harm(app: Flask, stores: Stores) -> None:
    environment = {"DATABASE_URL": stores.database_url, "SECRET_KEY": "k" * 32}
    runs = [
        subprocess.Popen([sys.executable, "-c", UPGRADE], cwd=PROJECT_ROOT, env=environment, stdin=subprocess.PIPE)
        for _ in range(2)
    ]
    for run in runs:  # all are up and wait for this
        assert run.stdin is not None
        run.stdin.close()
    assert [run.wait(60) for run in runs] == [0, 0]
    assert differences(app) == []


@pytest.mark.parametrize("version", VERSIONS, ids=lambda file: file.stem)
def test_a_migration_is_named_after_date_and_idea_and_imports_nothing_of_ours(version: Path) -> None:
    date, _, idea = version.stem.partition("_")
    assert len(date) == 8
    assert date.isdigit()
    assert idea
    tree = ast.parse(version.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert imported <= {"collections", "sqlalchemy", "alembic"}
    assert {"upgrade", "downgrade"} <= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_without_migrations_there_are_no_tables_and_every_page_that_needs_one_says_503(new_app: NewApp) -> None:
    app = new_app()
    browser = Browser(app)
    assert browser.get("/healthz").status_code == 200
    ready = browser.get("/readyz")
    assert (ready.status_code, ready.json) == (503, {"status": "unavailable", "down": ["migrations"]})
    assert browser.get("/").status_code == 200  # a visitor's pages need no table
    assert browser.get("/login").status_code == 200
    for page in ("/register", "/login", "/password/forgot"):
        fields = {"email": "alice@example.com", "password": "seven quiet otters crossing", "name": "Alice"}
        answer = browser.submit(page, **fields)
        assert answer.status_code == 503, page
        assert "Retry-After" in answer.headers
    browser.set_cookie("session", "A" * 43)
    assert browser.get("/").status_code == 503
    assert tables_of(app) == set()


def test_a_database_that_a_newer_version_has_migrated_is_ready(app: Flask) -> None:
    with app.app_context():
        upgrade()
        db.session.execute(sa.text("UPDATE alembic_version SET version_num = '20991231_of_a_newer_version'"))
        db.session.commit()
    assert Browser(app).get("/readyz").status_code == 200
