"""What a person reads on a page, and what a browser finds in it."""

import re
from html import unescape

from flask_babel.speaklater import LazyString
from werkzeug.test import TestResponse

_TAG = re.compile(r"<[^>]+>")
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def words(answer: TestResponse) -> str:
    """The text of a page, without its markup, one space between words."""
    body = answer.text.split("<body", 1)[-1]
    return " ".join(unescape(_TAG.sub(" ", body)).split())


def says(answer: TestResponse, sentence: str | LazyString) -> bool:
    """Whether a page has this sentence in it."""
    return " ".join(str(sentence).split()) in words(answer)


def csrf_token(answer: TestResponse) -> str:
    """The token in the first form of a page."""
    found = _TOKEN.search(answer.text)
    assert found, f"no form on this page ({answer.status})"
    return found.group(1)
