"""Signing in with an OpenID provider: there, back again, and what may stand in between."""

from webapp.blueprints.federation import connections, errors, views
from webapp.blueprints.federation.blueprint import bp
from webapp.blueprints.federation.security_events import events

__all__ = ["bp", "connections", "errors", "events", "views"]
