"""The document of the API, OpenAPI 3.1, made from the code; and a page that reads it to people."""

import json
import threading
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from flask import Flask, Response, current_app, make_response, render_template
from flask_babel import get_locale
from flask_smorest import Api, Blueprint, current_api
from werkzeug.routing import UUIDConverter

from webapp.blueprints.api import docs_page
from webapp.blueprints.api.blueprint import Call, bp, refusal_doc, title_of_resource, who_may_call
from webapp.blueprints.api.docs_page import METHODS
from webapp.blueprints.api.examples import UUID_EXAMPLE, example_of_refusal, name_of_refusal
from webapp.blueprints.api.headers import HEADERS, headers_of
from webapp.http.headers import PAGE_CSP
from webapp.http.problems import explained_codes, told_codes
from webapp.http.token_delivery import refresh_cookie_name
from webapp.provider_settings import GOOGLE
from webapp.services.runtime import runtime

DESCRIPTION = """\
Sign in, and get a short-lived access token and a refresh token; send the access token with each call as
`Authorization: Bearer …`; when it expires, exchange the refresh token for new ones. Refusals are problem documents
(RFC 9457) with a stable `code`; the `type` of each leads to its explanation. `Accept-Language` chooses the language of
what is meant for people: English or Korean. Objects may get more members in time, and there may be more codes: ignore
what you do not know.
"""
PROVIDER = "{provider}"  # in a path
OPENAPI_JSON = Call("openapi_json", "document", (), is_open=True, takes_body=False)


class DocumentedApi(Api):
    """The extension without its error handlers, which would answer for the pages, too, and its own kinds of answers.

    The document is written down when somebody first asks for it: that takes longer than all the rest of a start, and
    most processes are never asked.
    """

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.DEFAULT_ERROR_RESPONSE_NAME = None
        self._writing = threading.Lock()
        self._calls: Blueprint | None = None  # that are to be written down
        self._resources: dict[str, list[docs_page.Resource]] = {}

    def register_blueprint(self, blp: Blueprint, **options: Any) -> None:
        """Put the calls into the application."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp, **options)
        self._calls = blp

    def _register_error_handlers(self) -> None:
        pass

    def _register_responses(self) -> None:
        pass

    def _register_etag_headers(self) -> None:
        pass

    def _register_pagination_header(self) -> None:
        pass

    def _openapi_json(self) -> Response:
        return Response(self.as_json, mimetype="application/json")

    @cached_property
    def as_json(self) -> bytes:
        """The document for programs, written once: anybody may ask for it, as often as they like."""
        return json.dumps(self._written(), ensure_ascii=False).encode()

    def resources(self, locale: str) -> list[docs_page.Resource]:
        """The document for people, in the language of the request; put in order once for each language."""
        if locale not in self._resources:
            self._resources[locale] = docs_page.resources_of(self._written())
        return self._resources[locale]

    def _written(self) -> dict[str, Any]:
        with self._writing:
            if self._calls is not None:
                _add_components(self, self._app.config["PUBLIC_URL"], refresh_cookie_name(self._app))
                _add_openapi_json(self, self._app)
                self._calls.register_views_in_doc(self, self._app, self.spec, name=self._calls.name, parameters=None)
                self._calls = None
            document: dict[str, Any] = self.spec.to_dict()
            document["paths"] = by_provider(
                document["paths"], [GOOGLE, *(p.name for p in runtime().settings.providers)]
            )
        return document


def by_provider(paths: dict[str, Any], providers: Iterable[str]) -> dict[str, Any]:
    """The calls of the document, those of a provider written down for each provider: the names of routes are fixed, and
    one who reads them shall not have to put them together.
    """
    written = {}
    for path, operations in paths.items():
        if PROVIDER not in path:
            written[path] = operations
            continue
        for name in dict.fromkeys(providers):
            written[path.replace(PROVIDER, name)] = {
                method: _of_provider(operation, name) for method, operation in operations.items() if method in METHODS
            }
    return written


def _of_provider(operation: dict[str, Any], name: str) -> dict[str, Any]:
    own = {} if name == GOOGLE else {"operationId": f"{operation['operationId']}_{name}"}
    rest = [told for told in operation.get("parameters", ()) if told.get("name") != "provider"]
    return {
        **{k: v for k, v in operation.items() if k != "parameters"},
        **({"parameters": rest} if rest else {}),
        **own,
    }


def make_api(app: Flask) -> DocumentedApi:
    """The extension for `app`, which serves openapi.json."""
    app.config.update(
        API_TITLE=f"{app.config['SITE_NAME']} API",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": DESCRIPTION},
            "servers": [{"url": app.config["PUBLIC_URL"]}],
            "security": [{"accessToken": []}],
            "tags": [{"name": name, "description": title_of_resource(name)} for name in docs_page.RESOURCES],
        },
    )
    api = DocumentedApi(app)
    api.register_converter(UUIDConverter, lambda _: {"type": "string", "format": "uuid", "examples": [UUID_EXAMPLE]})
    return api


def _add_components(api: DocumentedApi, public_url: str, cookie: str) -> None:
    components = api.spec.components
    components.security_scheme(
        "accessToken",
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The access token of a sign-in (RFC 6750, RFC 9068).",
        },
    )
    components.security_scheme(
        "refreshToken",
        {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie,
            "description": "The refresh token of a sign-in whose `refresh_transport` was cookie. Browsers send it with "
            "requests from this site and the origins listed for it, and from no other.",
        },
    )
    for name, header in HEADERS.items():
        components.header(name, header)
    for code, status in [*told_codes().items(), ("invalid_credentials", 403)]:
        example = {"value": example_of_refusal(code, status, public_url)}
        components.example(name_of_refusal(code, status), example)
    # No call that is written down is answered so: a path without that method, and a path without anything.
    for name, status in (("method_not_allowed", 405), ("not_found", 404)):
        components.response(name, refusal_doc(status, [name], headers_of(status)))


def _add_openapi_json(api: DocumentedApi, app: Flask) -> None:
    """The call that the extension itself answers."""
    schema = {"type": "object", "required": ["openapi", "info", "paths"]}
    responses = {
        200: {"description": "OK", "headers": headers_of(200), "content": {"application/json": {"schema": schema}}},
        **{status: refusal_doc(status, codes, headers_of(status)) for status, codes in OPENAPI_JSON.codes().items()},
    }
    operation = {
        "summary": "This document",
        "description": f"OpenAPI 3.1, for programs. {who_may_call(OPENAPI_JSON.security)}",
        "operationId": OPENAPI_JSON.name,
        "tags": [OPENAPI_JSON.resource],
        "security": OPENAPI_JSON.security,
        "responses": responses,
    }
    rule = next(app.url_map.iter_rules("api-docs.openapi_json"))
    api.spec.path(rule=rule, operations={"get": operation})


@bp.get("/docs")
@bp.response(200, {"type": "string"}, content_type="text/html")
@bp.call(is_open=True, takes_body=False)
def docs() -> Response:
    """The document as a page. For people: how to begin, every call, and what each code means."""
    page = render_template(
        "api/docs.html",
        resources=current_api.resources(str(get_locale())),
        codes=explained_codes(),
        token_life=runtime().settings.JWT_ACCESS,
        leeway=runtime().settings.REFRESH_LEEWAY,
        public_url=current_app.config["PUBLIC_URL"],
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = PAGE_CSP
    return response
