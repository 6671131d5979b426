"""The doors with a form: register, confirm, sign in and out, forgotten passwords, changed addresses."""

from webapp.blueprints.auth import links, views
from webapp.blueprints.auth.blueprint import bp

__all__ = ["bp", "links", "views"]
