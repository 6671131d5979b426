"""The pages of a signed-in person."""

from webapp.blueprints.account import credentials, data, passkeys, places, security, views
from webapp.blueprints.account.blueprint import bp

__all__ = ["bp", "credentials", "data", "passkeys", "places", "security", "views"]
