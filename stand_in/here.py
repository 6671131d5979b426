"""The provider whose request is being answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import current_app

if TYPE_CHECKING:
    from stand_in.provider import Provider

APP_KEY = "stand_in"


def provider() -> Provider:
    """The provider of the current application."""
    return cast("Provider", current_app.extensions[APP_KEY])
