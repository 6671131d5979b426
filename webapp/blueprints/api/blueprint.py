"""The blueprint itself; the modules beside this one hang their calls on it."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from flask_smorest import Blueprint

from webapp import errors
from webapp.blueprints.api.parsing import StrictParser
from webapp.blueprints.api.replies import ProblemReply
from webapp.errors import DomainError
from webapp.http.problems import MEDIA_TYPE, STATUS, example_of

View = TypeVar("View", bound=Callable[..., Any])

BY_TOKEN = (errors.AccessTokenMissing, errors.TokenInvalid, errors.TokenExpired, errors.SessionRevoked)
BY_BODY = (errors.MalformedBody, errors.UnsupportedBody, errors.ValidationFailed)
BY_STORE = (errors.StoreUnavailable,)


class ApiBlueprint(Blueprint):
    """A blueprint of the API: each call is written down with every way it may be refused."""

    ARGUMENTS_PARSER = StrictParser()

    def call(
        self, *refusals: type[DomainError], is_open: bool = False, takes_body: bool = True
    ) -> Callable[[View], View]:
        """Document a call: under its own name, whether it needs an access token, and what it may be refused for. Below
        `arguments` and `response`.
        """
        known = (*(() if is_open else BY_TOKEN), *(BY_BODY if takes_body else ()), *BY_STORE, *refusals)
        by_status: dict[int, dict[str, Any]] = defaultdict(dict)
        for kind in known:
            by_status[STATUS[kind]][kind.code] = {"value": example_of(kind)}

        def document(view: View) -> View:
            documented: Any = view
            for status, examples in by_status.items():
                documented = self.alt_response(status, schema=ProblemReply, content_type=MEDIA_TYPE, examples=examples)(
                    documented
                )
            security: dict[str, Any] = {"security": []} if is_open else {}
            documented = self.doc(operationId=view.__name__, **security)(documented)
            # The library names a refusal of its own there, in another shape.
            documented._apidoc.get("arguments", {}).pop("responses", None)
            return documented  # type: ignore[no-any-return]

        return document


bp = ApiBlueprint("api", __name__, url_prefix="/api/v1")
