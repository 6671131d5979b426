"""A small application with everything HTTP that the site has, and views that misbehave on demand."""

from collections.abc import Callable
from typing import Any

from flask import Flask, flash, jsonify, make_response, render_template_string, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf

from webapp.http.client import client_of, install_client
from webapp.http.csrf import install_csrf
from webapp.http.error_pages import install_error_pages
from webapp.http.headers import hide_path_from_referrers, install_headers
from webapp.http.locale import install_locale
from webapp.http.logging import install_logging
from webapp.http.proxies import install_proxies
from webapp.http.request_checks import install_request_checks
from webapp.http.static_files import install_static_files
from webapp.http.templating import install_templating
from webapp.settings import Settings

HTTPS = {"PUBLIC_URL": "https://login.example.com", "APP_ENV": "production"}
PUBLIC = "https://login.example.com"


def small_settings(**values: Any) -> Settings:
    """Settings for a test, nothing written anywhere."""
    return Settings.checked(**{"APP_ENV": "testing", "SECRET_KEY": "ng5Tq0vXhLw2Zp8RbY4uKc7JdF1sMe9A", **values})


def small_app(break_it: Callable[[], object] = lambda: None, **values: Any) -> Flask:
    """The application. GET and POST /break call `break_it`; failures become pages, as in production."""
    settings = small_settings(**values)
    app = Flask("webapp")
    app.config.update(
        TESTING=True,
        PROPAGATE_EXCEPTIONS=False,
        SECRET_KEY=settings.SECRET_KEY,
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    install_logging(app, settings)
    install_headers(app)
    install_error_pages(app, settings)
    install_client(app, settings)
    install_request_checks(app, settings)
    install_locale(app, settings)
    install_csrf(app, settings)
    install_static_files(app, settings)
    install_templating(app)
    install_proxies(app, settings)
    _add_views(app, break_it)
    return app


def _add_views(app: Flask, break_it: Callable[[], object]) -> None:
    def index() -> str:
        return render_template_string("<!doctype html><p>{{ _('Sign out') }} {{ get_locale() }}</p>")

    def form(secret: str = "") -> ResponseReturnValue:
        if request.method == "POST":
            return jsonify(request.form.to_dict())
        response = make_response(f"<form>{generate_csrf()}</form>")
        return hide_path_from_referrers(response) if secret else response

    def broken() -> str:
        break_it()
        return "whole"

    def seen() -> ResponseReturnValue:
        caller = client_of(request)
        return jsonify(ip=caller.ip, user_agent=caller.user_agent, device=caller.device, scheme=request.scheme)

    def talk() -> str:
        flash("hello")
        return "said"

    app.add_url_rule("/", "home.index", index)
    app.add_url_rule("/form", "form", form, methods=["GET", "POST"])
    app.add_url_rule("/reset/<secret>", "reset", form, methods=["GET", "POST"])
    app.add_url_rule("/break", "break", broken, methods=["GET", "POST"])
    app.add_url_rule("/api/v1/break", "api_break", broken)
    app.add_url_rule("/seen", "seen", seen)
    app.add_url_rule("/talk", "talk", talk)
