"""What a page calls dozens of times, without asking for the same thing anew each time: its words and its addresses.

Flask's and Flask-Babel's own are right and thorough; on a page of thirty texts and fifteen addresses they took longer
than the sign-in behind it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import flask
import flask_babel
from flask import Flask
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from webapp.http.locale import language_of_request
from webapp.http.static_files import static_version


def install_templating(app: Flask) -> None:
    """Give templates our `_` and `url_for`. After `install_locale`, whose `_` this replaces."""
    app.jinja_env.globals.update(_=translate, url_for=_keeping_addresses(app))


@pass_eval_context
def translate(rules: EvalContext, text: str, /, **values: Any) -> str:
    """A text of a template in the language of the request, with its values put in, which are escaped in a page.

    As where Jinja's own `gettext` translates, a text is always a format: a percent sign in one is written twice.
    """
    language = language_of_request()
    if not rules.autoescape:
        return _format(language, text) % values
    return _as_html(language, text) % values if values else _without_values(language, text)


@cache  # only of texts that stand in templates, in the languages that there are
def _format(_language: str, text: str) -> str:
    told: str = flask_babel.get_translations().gettext(text)
    return told


@cache
def _as_html(language: str, text: str) -> Markup:
    """Texts are ours, in either language, and may hold what HTML would escape; Jinja, too, takes them so."""
    return Markup(_format(language, text))  # noqa: S704  (nothing that anybody sent)


@cache
def _without_values(language: str, text: str) -> Markup:
    return _as_html(language, text) % {}


def _keeping_addresses(app: Flask) -> Callable[..., str]:
    # Of endpoints without arguments, and of files: the address is the same at each call, until the file changes.
    known: dict[tuple[str, str | None], str] = {}

    def url_for(endpoint: str, **values: Any) -> str:
        """As Flask's."""
        if values.keys() == {"filename"} and endpoint == "static":
            key = values["filename"], static_version(app, values["filename"])
        elif values or endpoint.startswith("."):
            return flask.url_for(endpoint, **values)
        else:
            key = endpoint, None
        found = known.get(key)
        if found is None:
            found = known[key] = flask.url_for(endpoint, **values)
        return found

    return url_for
