"""The one clock. Everything that needs the time asks here, so that a test can move it in one place."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)
