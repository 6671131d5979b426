"""From a request to checked values: our strict JSON, marshmallow's shapes, refusals as errors of ours."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NoReturn

from flask import Request
from flask_babel import gettext
from marshmallow import Schema, ValidationError
from webargs import missing
from webargs.flaskparser import FlaskParser

from webapp.errors import ValidationFailed
from webapp.http.json_bodies import pointer_to, read_json

MOST_TOLD = 20  # misfits of one request: a body may hold thousands, each told at length
IN_QUERY = "?"  # before the name of a parameter, where a JSON pointer cannot point


class StrictParser(FlaskParser):
    """Reads bodies as `http.json_bodies` does, and raises ValidationFailed with a JSON pointer for each misfit."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body, which is an object; `missing` where there is none and it may be left out."""
        if not req.get_data() and getattr(schema, "may_be_left_out", False):
            return missing
        body = read_json(req) if req.get_data() else None
        if not isinstance(body, dict):
            raise ValidationFailed((("", gettext("This is not an object.")),))
        return body

    def handle_error(
        self, error: ValidationError, req: Request, schema: Schema, *, error_status_code: Any, error_headers: Any
    ) -> NoReturn:
        """Tell the misfits, each at its place."""
        messages = error.messages if isinstance(error.messages, Mapping) else {}
        found = (item for location, told in messages.items() for item in _misfits(told, location))
        raise ValidationFailed(tuple(islice(found, MOST_TOLD))) from None


def _misfits(told: Any, location: str) -> Iterator[tuple[str, str]]:
    for names, text in _leaves(told):
        yield (pointer_to(*names) if location == "json" else f"{IN_QUERY}{'.'.join(names)}"), text


def _leaves(told: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(told, Mapping):
        for name, inner in told.items():
            yield from _leaves(inner, (*path, str(name)))
    else:
        for text in told if isinstance(told, list) else [told]:
            yield path, str(text)
