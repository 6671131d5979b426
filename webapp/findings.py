"""What `flask doctor` says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line: how it is, or what to do."""

    subject: str
    ok: bool
    text: str
