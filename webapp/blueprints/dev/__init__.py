"""What only a development machine shows: mails that were written instead of sent, and an app that tries the API."""

from webapp.blueprints.dev.views import bp

__all__ = ["bp"]
