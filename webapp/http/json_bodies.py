"""Bodies of the API: JSON in UTF-8 that every reader understands alike (RFC 8259), or a refusal that says where."""

import json
import re
from typing import Any

from flask import Request
from flask_babel import gettext

from webapp.errors import MalformedBody, UnsupportedBody, ValidationFailed
from webapp.http.logging import SENT_TEXTS

MOST_DEPTH = 16  # arrays and objects within each other

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written, repetitions included."""


def read_json(request: Request) -> Any:
    """The body of a request that has one.

    Raises UnsupportedBody, MalformedBody, or ValidationFailed where a text holds what nobody can type.
    """
    raw = request.get_data()
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != "application/json" or charset != "utf-8" or request.headers.get("Content-Encoding"):
        raise UnsupportedBody
    body = _parsed(raw)
    texts: list[str] = []
    request.environ[SENT_TEXTS] = texts  # known to the log before anything can go wrong with them
    return _plain(body, "", 0, texts)


def pointer_to(*parts: object) -> str:
    """A JSON pointer (RFC 6901, section 4)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_Pairs, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise MalformedBody(why="not_utf8") from None
    except RecursionError:
        raise MalformedBody(why="too_deep") from None
    except ValueError:  # no JSON, or a number of thousands of digits
        raise MalformedBody(why="not_json") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _plain(value: Any, pointer: str, depth: int, texts: list[str]) -> Any:
    if isinstance(value, list) and depth >= MOST_DEPTH:  # _Pairs are one, too
        raise MalformedBody(why="too_deep")
    if isinstance(value, _Pairs):
        found: dict[str, Any] = {}
        for name, item in value:
            place = pointer + pointer_to(name)
            if _CONTROL.search(name):
                raise MalformedBody(why="unreadable_name")
            if name in found:  # which of the two counts, every reader decides differently (ASVS 15.3.7)
                raise MalformedBody(why="repeated_name", pointer=place)
            found[name] = _plain(item, place, depth + 1, texts)
        return found
    if isinstance(value, list):
        return [_plain(item, pointer + pointer_to(place), depth + 1, texts) for place, item in enumerate(value)]
    if isinstance(value, str):
        if _CONTROL.search(value):
            raise ValidationFailed(((pointer, gettext("This holds characters that nobody can type.")),))
        texts.append(value)
    return value
