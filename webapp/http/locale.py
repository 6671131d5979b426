"""Which language a page speaks: the user's, else the cookie's, else what the browser prefers. No session needed."""

from datetime import timedelta
from urllib.parse import quote, urlencode

import flask_babel
from flask import Flask, current_app, g, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from webapp.extensions import babel
from webapp.http.site import current_request
from webapp.settings import Settings

LOCALES = ("en", "ko")  # the first is the default
COOKIE_LIFE = timedelta(days=365)
LOCALE_COOKIE_NAME = "LOCALE_COOKIE_NAME"  # the key in app.config


def install_locale(app: Flask, settings: Settings) -> None:
    """Set Flask-Babel up, and let `?lang=` on any page choose the language. After `install_request_checks`."""
    app.config.setdefault("BABEL_DEFAULT_LOCALE", LOCALES[0])
    app.config.setdefault("BABEL_DEFAULT_TIMEZONE", "UTC")
    app.config[LOCALE_COOKIE_NAME] = "__Host-lang" if settings.is_https else "lang"
    babel.init_app(app, locale_selector=selected_locale)
    app.jinja_env.globals["get_locale"] = flask_babel.get_locale  # a global: error pages run no context processor

    @app.before_request
    def choose_by_link() -> BaseResponse | None:
        if not current_request().query_string:
            return None
        chosen = request.args.get("lang")
        if chosen not in LOCALES or request.method not in ("GET", "HEAD") or not _has_pages():
            return None
        return _remembered(redirect(_without_lang(), 303), chosen)


def _has_pages() -> bool:
    """Whether people read what is asked for; apps say with Accept-Language what theirs read."""
    return request.endpoint == "api.docs" or not request.path.startswith(("/static/", "/api/", "/.well-known/"))


def selected_locale() -> str:
    """One of LOCALES for the present request."""
    for known in (request.cookies.get(current_app.config[LOCALE_COOKIE_NAME]), g.get("user_locale")):
        if known in LOCALES:
            return str(known)
    return request.accept_languages.best_match(LOCALES, LOCALES[0])


def language_of_request() -> str:
    """The language of the present request, or of the mail that is being written: "en", "ko"; "" outside of either."""
    # As the extension keeps it for the request. Its own way there takes longer than all else that a text takes.
    kept = g.get("_flask_babel")
    locale = getattr(kept, "babel_locale", None) or flask_babel.get_locale()
    return "" if locale is None else str(locale.language)


def use_user_locale(locale: str | None) -> None:
    """The signed-in user's language, from here on in this request."""
    g.user_locale = locale
    flask_babel.refresh()


def remember_locale(response: BaseResponse, locale: str) -> BaseResponse:
    """Keep `locale` in this browser, for the pages it sees signed out. Raises ValueError for one we do not have."""
    if locale not in LOCALES:
        raise ValueError("not a language of this site")
    _remembered(response, locale)
    return response


def _remembered(response: BaseResponse, locale: str) -> BaseResponse:
    name = current_app.config[LOCALE_COOKIE_NAME]
    response.set_cookie(
        name,
        locale,
        max_age=COOKIE_LIFE,
        path="/",
        secure=name.startswith("__Host-"),
        httponly=True,
        samesite="Lax",
    )
    return response


def _without_lang() -> str:
    """This page's own path and query but for `lang`. One leading slash: two would name another site."""
    path = quote("/" + request.path.lstrip("/\\"), safe="/!$&'()*+,;=:@")
    query = urlencode([(name, value) for name, value in request.args.items(multi=True) if name != "lang"])
    return f"{path}?{query}" if query else path
