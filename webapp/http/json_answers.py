"""How answers become JSON."""

from typing import Any

import msgspec
from flask import Response
from flask.json.provider import DefaultJSONProvider


class JsonAnswers(DefaultJSONProvider):
    """Flask's, but for answers, which msgspec writes faster: plain values only, in the order of their schema."""

    ensure_ascii = False  # Korean stays readable

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """The answer for `jsonify`. Raises TypeError for what is no plain value."""
        body = msgspec.json.encode(self._prepare_response_obj(args, kwargs))
        return Response(body + b"\n", mimetype=self.mimetype)
