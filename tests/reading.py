"""A page or a mail as a person gets it: what is shown, and what is read aloud."""

import re
from collections.abc import Iterable
from html.parser import HTMLParser

_SPOKEN = ("alt", "aria-label", "placeholder", "title")
_SPOKEN_BY_SCRIPT = ("data-hid", "data-show")
_SILENT = frozenset({"script", "style"})
_UNTRANSLATED = frozenset({"code", "ul"})

# What is the same in every language: addresses of all kinds, ids, and names.
_ADDRESSES = re.compile(r"https?://\S+|[^\s(]+@[^\s)]+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}")
_NAMES = re.compile(
    "Doorway|English|JavaScript|JSON|API|UTC|Chrome|Firefox|Google|Safari|QR|localhost|Windows|Linux|iPhone"
)
_LETTERS = re.compile(r"[A-Za-z]{2,}")


class _Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.language = ""
        self.pieces: list[str] = []
        self._silent = 0
        self._untold = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "html":
            self.language = dict(attributes).get("lang") or ""
        # What is no language at all, such as a key, is marked so; it has only text in it.
        is_untold = dict(attributes).get("translate") == "no" and tag in _UNTRANSLATED
        self._untold = tag if is_untold else self._untold
        self._silent += tag in _SILENT
        self.pieces += [
            value for name, value in attributes if value and (name in _SPOKEN or name.startswith(_SPOKEN_BY_SCRIPT))
        ]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT
        if tag == self._untold:
            self._untold = ""

    def handle_data(self, data: str) -> None:
        if not self._silent and not self._untold and data.strip():
            self.pieces.append(" ".join(data.split()))


def pieces_of(html: str) -> list[str]:
    """Every piece of text of a page, the title included, and every label that is only heard."""
    return _Reader(html).pieces


def language_of(html: str) -> str:
    """What `<html lang>` says."""
    return _Reader(html).language


def not_korean(pieces: Iterable[str]) -> list[str]:
    """The pieces in which letters of another script are left, names and addresses aside."""
    return [piece for piece in pieces if _LETTERS.search(_NAMES.sub("", _ADDRESSES.sub("", piece)))]
