"""Static files carry the hash of their content in their address, so that browsers may keep them for ever and still
get a new one at once.
"""

import hashlib
import time
from collections.abc import MutableMapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Request, Response, abort, request
from werkzeug.security import safe_join

from webapp.http.site import current_request
from webapp.settings import Settings

_VERSIONS = "static_versions"  # the key in app.extensions
LOOKED_AT_EVERY = 1.0  # seconds, where files may change
VERSION = "v"  # the argument in the address
VERSION_LENGTH = 12  # hexadecimal digits of SHA-256
FOR_EVER = "public, max-age=31536000, immutable"
SERVED = frozenset({".css", ".js", ".svg", ".png", ".ico", ".webmanifest", ".txt"})  # whatever else lies there
ASK_AGAIN = "public, no-cache"  # kept, but asked for with its ETag before each use


def install_static_files(app: Flask, settings: Settings) -> None:
    """Let `url_for("static", ...)` add the version, and let what is asked for by its version be kept.

    After `install_headers`, so that this runs before it. In production a file is read once; elsewhere it may change.
    """
    folder = Path(app.static_folder or "")
    good_for = float("inf") if settings.APP_ENV == "production" else LOOKED_AT_EVERY
    known: dict[str, tuple[str, float]] = {}

    def current_version(filename: str) -> str | None:
        found = known.get(filename)
        if found is not None and time.monotonic() < found[1]:
            return found[0]
        version = version_of(folder, filename)
        if version:  # only names of files: no visitor can fill this
            known[filename] = version, time.monotonic() + good_for
        return version

    app.extensions[_VERSIONS] = current_version

    @app.url_defaults
    def add_version(endpoint: str, values: MutableMapping[str, Any]) -> None:
        if endpoint == "static" and VERSION not in values and (version := current_version(values.get("filename", ""))):
            values[VERSION] = version

    @app.before_request
    def serve_only_what_belongs_here() -> None:
        # A backup, a database or a source that somebody left in the folder stays there (ASVS 13.4.7).
        asked = current_request()
        if asked.endpoint == "static" and _suffix(asked) not in SERVED:
            abort(404)

    @app.after_request
    def say_how_long(response: Response) -> Response:
        if request.endpoint == "static" and response.status_code in (200, 304):
            version = current_version((request.view_args or {}).get("filename", ""))
            is_current = version is not None and request.args.get(VERSION) == version
            response.headers["Cache-Control"] = FOR_EVER if is_current else ASK_AGAIN
        return response


def _suffix(asked: Request) -> str:
    return Path(str((asked.view_args or {}).get("filename", ""))).suffix


def static_version(app: Flask, filename: str) -> str | None:
    """The version of a file that is served; None where there is none."""
    found: str | None = app.extensions[_VERSIONS](filename)
    return found


def version_of(folder: Path, filename: str) -> str | None:
    """The version of one file in `folder` as it is now; None where there is none."""
    found = safe_join(str(folder), filename)
    if found is None:
        return None
    try:
        state = Path(found).stat()
        return _version(found, state.st_mtime_ns, state.st_size)
    except OSError:
        return None


@lru_cache(maxsize=1024)
def _version(path: str, _changed_at: int, _size: int) -> str:
    """Read once for each state of the file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:VERSION_LENGTH]
