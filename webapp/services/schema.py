"""Whether the database has the tables that this code was written for."""

from dataclasses import dataclass
from functools import cache

from alembic.script import ScriptDirectory
from sqlalchemy import Select, String, column, select, table
from sqlalchemy.exc import SQLAlchemyError

from webapp.services.runtime import runtime
from webapp.settings import PROJECT_ROOT

_VERSION: Select[str] = select(column("version_num", String)).select_from(table("alembic_version"))


@dataclass(frozen=True)
class Schema:
    """Which migration the database has come to, and which one this code wants."""

    here: str | None
    head: str | None
    is_behind: bool


def find_schema() -> Schema:
    """Where a database that answers stands.

    One that a newer version of the site has migrated is not behind: while that is rolled out the old one goes on.
    """
    known = _revisions()
    try:
        with runtime().single.connect() as connection:
            here = connection.execute(_VERSION).scalar()
    except SQLAlchemyError:  # there is no such table
        here = None
    head = known[0] if known else None
    return Schema(here, head, is_behind=here != head and (here is None or here in known))


@cache
def _revisions() -> tuple[str, ...]:
    """All migrations of this code, the newest first."""
    scripts = ScriptDirectory(str(PROJECT_ROOT / "migrations"))
    return tuple(script.revision for script in scripts.walk_revisions())
