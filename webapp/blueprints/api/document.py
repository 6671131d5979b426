"""The document of the API, OpenAPI 3.1, made from the code; and a page that reads it to people."""

from typing import Any

from flask import Flask, Response, current_app, make_response, render_template
from flask_smorest import Api, current_api

from webapp.blueprints.api.blueprint import bp
from webapp.http.headers import PAGE_CSP
from webapp.http.problems import explained_codes
from webapp.http.token_delivery import refresh_cookie_name
from webapp.services.runtime import runtime

DESCRIPTION = """\
Sign in, and get a short-lived access token and a refresh token; send the access token with each call as
`Authorization: Bearer …`; when it expires, exchange the refresh token for new ones. Refusals are problem documents
(RFC 9457) with a stable `code`. `Accept-Language` chooses the language of what is meant for people: English or Korean.
"""


class DocumentedApi(Api):
    """The extension without its error handlers, which would answer for the pages, too."""

    def _register_error_handlers(self) -> None:
        pass


def make_api(app: Flask) -> DocumentedApi:
    """The extension for `app`, which serves openapi.json."""
    public_url = app.config["PUBLIC_URL"]
    app.config.update(
        API_TITLE=app.config["SITE_NAME"],
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": DESCRIPTION},
            "servers": [{"url": public_url}],
            "security": [{"accessToken": []}],
        },
    )
    api = DocumentedApi(app)
    api.DEFAULT_ERROR_RESPONSE_NAME = None
    schemes = api.spec.components
    schemes.security_scheme("accessToken", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    schemes.security_scheme("refreshToken", {"type": "apiKey", "in": "cookie", "name": refresh_cookie_name(app)})
    return api


@bp.get("/docs")
@bp.doc(operationId="docs", security=[])
def docs() -> Response:
    """The document as a page for people."""
    specification: dict[str, Any] = current_api.spec.to_dict()
    page = render_template(
        "api/docs.html",
        specification=specification,
        codes=explained_codes(),
        token_life=runtime().settings.JWT_ACCESS,
        public_url=current_app.config["PUBLIC_URL"],
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = PAGE_CSP
    return response
