"""Where we send people: only within this site."""

import re
from urllib.parse import unquote, urlsplit

from flask import redirect
from werkzeug.wrappers import Response

MAX_TARGET = 2000  # characters
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029\ud800-\udfff\ufffd]")
_NEVER = frozenset({"login", "logout"})  # going there after signing in would loop, or sign out again
_WAITING = re.compile(r"/login/[a-z0-9]+/connect")  # but this page waits for whoever signs in


def safe_next(target: str | None, default: str) -> str:
    """`target` when it is a path on this site that is fit to go on to, else `default` (ASVS 3.7.2).

    Judged as it stands and decoded once, since that is what browsers and routing do.
    """
    if not target or len(target) > MAX_TARGET or " " in target:
        return default
    if not _is_path_here(target) or not _is_path_here(unquote(target, errors="replace")):
        return default
    return target


def _is_path_here(target: str) -> bool:
    if _UNFIT.search(target) or not target.startswith("/"):
        return False
    path = re.split(r"[?#]", target, maxsplit=1)[0]
    segments = path.split("/")[1:]
    if "" in segments[:-1] or "." in segments or ".." in segments:
        return False
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    is_fit = segments[0].partition(";")[0].lower() not in _NEVER or _WAITING.fullmatch(path) is not None
    return not parts.scheme and not parts.netloc and is_fit


def see_other(location: str) -> Response:
    """The answer to a POST that was done: fetch `location` with GET, whatever the method was (RFC 9700, 4.12)."""
    return redirect(location, 303)
