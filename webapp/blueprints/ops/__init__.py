"""For whoever runs the site, and for what the specifications want at well-known addresses."""

from webapp.blueprints.ops.views import bp

__all__ = ["bp"]
