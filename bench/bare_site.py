"""The sites that the site is held against, on the same gunicorn with the same configuration."""

import json
from pathlib import Path
from typing import Any

from bench import bare_tables
from tests.servers.site import LiveSite


class BareSite(LiveSite):
    """Bare Flask with the answers of the site. On PostgreSQL, `database` names a database of its own."""

    application = "bench.bare:app"

    def __init__(self, directory: Path, answers: dict[str, Any], *, database: str = "", **settings: str) -> None:
        file = directory / "answers.json"
        file.write_text(json.dumps(answers), encoding="utf-8")
        url = {"DATABASE_URL": database} if database else {}
        super().__init__(BARE_ANSWERS=str(file), **url, **settings)

    def _migrate(self) -> None:
        bare_tables.make(self.environment["DATABASE_URL"])


class StrippedSite(LiveSite):
    """The site's own templates without anything that a sign-in needs. It asks no database."""

    application = "bench.stripped:app"

    def _migrate(self) -> None:
        return
