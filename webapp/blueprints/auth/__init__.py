"""The doors with a form: register, confirm, sign in and out, forgotten passwords, changed addresses."""

from webapp.blueprints.auth import links, mailed, passkey, reauthentication, steps, views
from webapp.blueprints.auth.blueprint import bp

__all__ = ["bp", "links", "mailed", "passkey", "reauthentication", "steps", "views"]
