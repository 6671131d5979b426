"""The one table of the bare refresh."""

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

LINES = 64


def make(url: str) -> None:
    """Make it, with as many lines as anybody may step."""
    if url.startswith("postgresql:"):
        url = make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE lines (id INTEGER PRIMARY KEY, generation INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO lines VALUES (:id, 0)"), [{"id": number} for number in range(LINES)])
    engine.dispose()
