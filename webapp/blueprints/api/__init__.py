"""The JSON API: one file a resource. Every call ends in the services that the pages call, too."""

from flask import Flask

from webapp.blueprints.api import accounts, auth, document, events, factors, federation, me, sessions
from webapp.blueprints.api.blueprint import bp
from webapp.blueprints.api.refusals import map_refusals

__all__ = ["accounts", "auth", "bp", "document", "events", "factors", "federation", "me", "register", "sessions"]

map_refusals(bp)


def register(app: Flask) -> None:
    """Put the API and its document into `app`."""
    document.make_api(app).register_blueprint(bp)
