"""What only a development machine shows: the mails that were written instead of sent."""

from webapp.blueprints.dev.views import bp

__all__ = ["bp"]
