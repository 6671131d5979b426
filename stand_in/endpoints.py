"""The provider's endpoints put together, and the headers of all their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, jsonify, make_response, render_template

from stand_in import pages, tokens
from stand_in.headers import HEADERS
from stand_in.here import APP_KEY, provider

if TYPE_CHECKING:
    from stand_in.provider import Provider

KEYS_LIFE = 300  # seconds
bp = Blueprint("about", __name__)


def make_app(the_provider: Provider) -> Flask:
    """The WSGI application of one provider."""
    app = Flask(__name__)
    app.extensions[APP_KEY] = the_provider
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024  # bytes
    # A name that somebody points at this machine must not reach the provider.
    app.config["TRUSTED_HOSTS"] = [urlsplit(the_provider.issuer).hostname]
    for blueprint in (bp, pages.bp, tokens.bp):
        app.register_blueprint(blueprint)
    app.after_request(_add_headers)
    return app


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@bp.get("/.well-known/openid-configuration")
def metadata() -> Response:
    """OpenID Connect Discovery 1.0, section 4."""
    return jsonify(provider().metadata())


@bp.get("/keys")
def keys() -> Response:
    """The public keys."""
    response = jsonify(provider().key_set())
    response.headers["Cache-Control"] = f"public, max-age={KEYS_LIFE}"
    return response


@bp.get("/people/<sub>.svg")
def picture(sub: str) -> Response:
    """A picture of somebody: the first letter of their name."""
    person = provider().people.get(sub)
    letter = person.name[:1] if person else "?"
    response = make_response(render_template("picture.svg", letter=letter, hue=sum(sub.encode()) * 47 % 360))
    response.content_type = "image/svg+xml"
    return response


@bp.get("/")
def about() -> str:
    """What this is, for whoever finds it."""
    return render_template(
        "message.html",
        title="A stand-in for Google",
        text="This is a provider for trying out sign-in. Begin at the site that sends people here.",
    )
