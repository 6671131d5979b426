"""The blueprint itself; the modules beside this one hang their calls on it."""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from flask_smorest import Blueprint
from marshmallow import Schema

from webapp import errors
from webapp.blueprints.api.examples import example_of, name_of_refusal
from webapp.blueprints.api.headers import headers_of
from webapp.blueprints.api.parsing import StrictParser
from webapp.blueprints.api.replies import ProblemReply
from webapp.errors import DomainError
from webapp.http.problems import CODES, MEDIA_TYPE, STATUS

View = TypeVar("View", bound=Callable[..., Any])
Doc = dict[str, Any]

BY_TOKEN = (
    *(errors.AccessTokenMissing, errors.TokenInvalid, errors.TokenExpired, errors.SessionRevoked),
    errors.FactorSetupRequired,
)
BY_BODY = (errors.MalformedBody, errors.UnsupportedBody, errors.ValidationFailed)
BY_STATUS = (400, 403, 413, 500, 503)  # what may happen to any request, before its view or in it


@dataclass(frozen=True)
class Call:
    """What is known of a call beside what it takes and gives."""

    name: str
    resource: str
    refusals: tuple[type[DomainError], ...]
    is_open: bool
    takes_body: bool

    @property
    def security(self) -> list[dict[str, list[str]]]:
        """The ways to be let in, any one of them; `{}` is to come with nothing but the body.

        An open call that knows bad tokens takes tokens: the refresh token in the body or, where the origin is looked
        at for it, in the cookie; or the access token.
        """
        if not self.is_open:
            return [{"accessToken": []}]
        by_access_token = errors.AccessTokenMissing in self.refusals
        by_cookie = {errors.TokenInvalid, errors.OriginRefused} <= set(self.refusals)
        schemes = [*(["accessToken"] if by_access_token else []), *(["refreshToken"] if by_cookie else [])]
        ways: list[dict[str, list[str]]] = [{scheme: []} for scheme in schemes]
        return [*ways, {}] if ways else []

    def codes(self, *, has_query: bool = False) -> dict[int, list[str]]:
        """How it may be refused: codes by status."""
        kinds = (
            *(() if self.is_open else BY_TOKEN),
            *(BY_BODY if self.takes_body else ()),
            *((errors.ValidationFailed,) if has_query else ()),
            *self.refusals,
        )
        found: dict[int, list[str]] = defaultdict(list, {status: [CODES[status]] for status in BY_STATUS})
        for kind in kinds:
            # Whoever is signed in and mistypes their own password is not to sign in anew.
            is_own_password = kind is errors.InvalidCredentials and not self.is_open
            status = 403 if is_own_password else STATUS[kind]
            if kind.code not in found[status]:
                found[status].append(kind.code)
        return dict(sorted(found.items()))


class ApiBlueprint(Blueprint):
    """A blueprint of the API: each call is written down with every way it may be refused."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(_describe)

    def arguments(self, schema: type[Schema], *, required: bool = True, **kwargs: Any) -> Callable[[View], View]:
        """As the library's; `required` is not only told but kept, too."""
        taken: Any = schema()
        taken.may_be_left_out = not required
        decorate: Callable[[View], View] = super().arguments(taken, required=required, **kwargs)
        return decorate

    def call(
        self, *refusals: type[DomainError], is_open: bool = False, takes_body: bool = True
    ) -> Callable[[View], View]:
        """Document a call: under its own name, whether it needs an access token, and what it may be refused for. Below
        `arguments` and `response`.
        """

        def document(view: View) -> View:
            resource = view.__module__.rpartition(".")[2]
            noted: Any = view
            noted._apidoc = {"call": Call(view.__name__, resource, refusals, is_open=is_open, takes_body=takes_body)}
            return view

        return document


def refusal_doc(status: int, codes: Iterable[str], headers: dict[str, str]) -> Doc:
    """A refusal in the document, with a whole example for each of its codes."""
    examples = {code: name_of_refusal(code, status) for code in codes}
    content = {MEDIA_TYPE: {"schema": ProblemReply(), "examples": examples}}
    return {"description": HTTPStatus(status).phrase, "headers": headers, "content": content}


def who_may_call(security: list[dict[str, list[str]]]) -> str:
    """Who is let in, in words."""
    schemes = {scheme for way in security for scheme in way}
    if not schemes:
        return "Open to everybody."
    if "refreshToken" not in schemes:
        return "Needs an access token."
    if "accessToken" not in schemes:
        return "Needs a refresh token, in the body or in the cookie."
    return "Needs an access token, or a refresh token in the body or in the cookie."


def title_of_resource(resource: str) -> str:
    """What a resource is about: the first line of its module."""
    module = sys.modules[f"{__package__}.{resource}"]
    return (module.__doc__ or "").partition("\n")[0]


def _describe(doc: Doc, doc_info: Doc, **_: Any) -> Doc:
    """The library's step in making an operation of a view: everything but its path and its schemas."""
    call: Call | None = doc_info.get("call")
    if call is None:
        return doc
    codes = call.codes(has_query="parameters" in doc)
    is_limited = "too_many_attempts" in codes.get(429, ())
    responses: dict[int, Doc] = {}
    for status, response in doc.get("responses", {}).items():
        if isinstance(response, dict):  # by name it is a refusal of the library's own, in another shape
            responses[status] = _success_doc(response, headers_of(status, call.name, is_limited=is_limited))
    for status, names in codes.items():
        responses[status] = refusal_doc(status, names, headers_of(status, is_limited=is_limited))
    if "requestBody" in doc:
        _add_example(doc["requestBody"])
    doc_info["docstring"] = _words(doc_info["docstring"], call)
    doc_info["manual_doc"] = {"operationId": call.name, "tags": [call.resource], "security": call.security}
    return {**doc, "responses": responses}


def _success_doc(response: Doc, headers: dict[str, str]) -> Doc:
    _add_example(response)
    return {**response, "headers": headers}


def _add_example(message: Doc) -> None:
    for content in message.get("content", {}).values():
        if isinstance(content.get("schema"), Schema):
            content["example"] = example_of(content["schema"])


def _words(docstring: dict[str, str], call: Call) -> dict[str, str]:
    """The first sentence, and all the rest with who is let in."""
    said = " ".join(" ".join(docstring.values()).split())
    summary, _, rest = said.partition(". ")
    return {
        "summary": summary.removesuffix("."),
        "description": " ".join(filter(None, [rest, who_may_call(call.security)])),
    }


bp = ApiBlueprint("api", __name__, url_prefix="/api/v1")
