"""Flask, without what this site never uses."""

from collections.abc import Callable
from typing import Any, cast

from flask import Flask, Request, request

from webapp.http.json_answers import JsonAnswers


class Site(Flask):
    """The application. No view and no hook of it is a coroutine, so none is looked at for that on each request."""

    json_provider_class = JsonAnswers

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is."""
        return func


def current_request() -> Request:
    """The request itself, for what runs on each one: `flask.request` looks for it anew at every use."""
    return cast(Request, cast(Any, request)._get_current_object())
