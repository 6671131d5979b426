"""The mails that the file transport wrote, read back."""

import email
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import cast

_ID = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-[A-Za-z0-9._-]{1,200}")
NEWEST = 200  # as many as the list shows


@dataclass(frozen=True)
class WrittenMail:
    """One mail as a reader would see it."""

    id: str
    subject: str
    to: str
    at: datetime
    text: str
    html: str


def list_mails(directory: Path) -> list[WrittenMail]:
    """The newest mails in `directory`, newest first."""
    ids = sorted((file.stem for file in directory.glob("*.eml") if _ID.fullmatch(file.stem)), reverse=True)
    return [mail for mail_id in ids[:NEWEST] if (mail := find_mail(directory, mail_id))]


def find_mail(directory: Path, mail_id: str) -> WrittenMail | None:
    """The mail `mail_id`, if there is one. An id that fits its shape has no slash in it, so it names no other file."""
    shape = _ID.fullmatch(mail_id)
    if shape is None:
        return None
    try:
        raw = (directory / f"{mail_id}.eml").read_bytes()
    except FileNotFoundError:
        return None
    message = email.message_from_bytes(raw, policy=policy.default)
    return WrittenMail(
        id=mail_id,
        subject=str(message["Subject"]),
        to=str(message["To"]),
        at=datetime.strptime(shape[1], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else cast(str, part.get_content()).replace("\r\n", "\n")
