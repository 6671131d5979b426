"""The site. `create_app` puts its parts together, in an order that matters and is written once."""

from typing import cast

from flask import Flask, current_app
from flask_login import current_user
from sqlalchemy import Engine

from webapp import blueprints, cli
from webapp.database import SingleStatements, configure_database, tune_engine
from webapp.extensions import db, login_manager, migrate
from webapp.gateways.breached_passwords import BreachedPasswordList
from webapp.gateways.event_issuer import EventIssuer
from webapp.gateways.relying_party import RelyingParty
from webapp.http import background
from webapp.http.access import install_access
from webapp.http.bearer import install_bearer
from webapp.http.client import install_client
from webapp.http.cookie_sessions import install_cookie_sessions, refuse_without_store
from webapp.http.csrf import install_csrf
from webapp.http.devices import install_devices
from webapp.http.error_pages import install_error_pages
from webapp.http.headers import install_headers
from webapp.http.limit_headers import install_limit_headers, note_usage
from webapp.http.locale import install_locale
from webapp.http.logging import install_logging, request_id
from webapp.http.origins import install_origins
from webapp.http.proxies import install_proxies
from webapp.http.request_checks import install_request_checks
from webapp.http.session_stores import SessionStore, make_store
from webapp.http.site import Site
from webapp.http.static_files import install_static_files
from webapp.http.templating import install_templating
from webapp.http.token_delivery import install_token_delivery
from webapp.services.access_tokens import AccessTokens
from webapp.services.hashing import PasswordHashing
from webapp.services.key_ring import KeyRing
from webapp.services.refresh_tokens import RefreshTokens
from webapp.services.revocation import RevokedSessions
from webapp.services.runtime import Runtime, provide_runtime
from webapp.services.sealing import Sealer
from webapp.services.throttle import make_throttle
from webapp.settings import PROJECT_ROOT, Settings

MIGRATIONS = "migrations"
_RUNTIME = "runtime"


def create_app(settings: Settings) -> Flask:
    """One application. Opens no connection: gunicorn forks its workers after this, and two may live in one process."""
    app = Site(__name__)
    app.config.update(
        TESTING=settings.APP_ENV == "testing",
        SECRET_KEY=settings.SECRET_KEY,
        SECRET_KEY_FALLBACKS=list(settings.SECRET_KEY_FALLBACKS),
        SITE_NAME=settings.SITE_NAME,
        PUBLIC_HOST=settings.host,
    )
    configure_database(app, settings)
    db.init_app(app)
    migrate.init_app(app, db, directory=str(PROJECT_ROOT / MIGRATIONS), render_as_batch=True)
    with app.app_context():
        engine = db.engine
    tune_engine(engine, settings)
    single = SingleStatements(engine)
    store = make_store(settings, lambda: single)
    _assemble_runtime(app, settings, engine, store)
    _install_http(app, settings, store)
    blueprints.register(app, settings)
    cli.register(app)
    return app


def _assemble_runtime(app: Flask, settings: Settings, engine: Engine, store: SessionStore) -> None:
    sealer = Sealer(settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS)
    single = SingleStatements(engine)
    key_ring = KeyRing(single, sealer, token_life=settings.JWT_ACCESS)
    app.extensions[_RUNTIME] = Runtime(
        settings=settings,
        engine=engine,
        single=single,
        database_session=lambda: db.session(),
        hashing=PasswordHashing(
            time_cost=settings.ARGON2_TIME_COST,
            memory_kib=settings.ARGON2_MEMORY_KIB,
            parallelism=settings.ARGON2_PARALLELISM,
            concurrency=settings.ARGON2_CONCURRENCY,
        ),
        breached=BreachedPasswordList(),
        throttle=make_throttle(settings, single, note_usage),
        sealer=sealer,
        key_ring=key_ring,
        access_tokens=AccessTokens(key_ring, issuer=settings.PUBLIC_URL, life=settings.JWT_ACCESS),
        refresh_tokens=RefreshTokens(sealer, issuer=settings.PUBLIC_URL),
        revoked=RevokedSessions(single, token_life=settings.JWT_ACCESS),
        cookie_sessions=store,
        relying_parties={config.name: RelyingParty(config, settings.PUBLIC_URL) for config in settings.providers},
        event_issuer=_event_issuer(settings),
        wake_outbox=lambda: background.wake(app),
        request_id=request_id,
    )
    provide_runtime(lambda: cast(Runtime, current_app.extensions[_RUNTIME]))


def _event_issuer(settings: Settings) -> EventIssuer | None:
    """Google's, where the site is set up to listen: for the client ids of the site and of its apps."""
    client_ids = (settings.GOOGLE_CLIENT_ID, *settings.GOOGLE_NATIVE_CLIENT_IDS)
    is_on = settings.GOOGLE_RISC_METADATA_URL and settings.GOOGLE_CLIENT_ID
    return EventIssuer(settings.GOOGLE_RISC_METADATA_URL, client_ids) if is_on else None


def _install_http(app: Flask, settings: Settings, store: SessionStore) -> None:
    install_logging(app, settings)  # first, so that every refusal has its id and its route
    install_headers(app)  # before every other after_request, so that it runs after them all
    install_error_pages(app, settings)
    install_client(app, settings)
    install_request_checks(app, settings)
    install_locale(app, settings)
    install_origins(app, settings)
    install_limit_headers(app)
    install_cookie_sessions(app, store, settings)
    app.before_request(refuse_without_store)
    install_csrf(app, settings)
    _install_login(app)
    install_bearer(app)
    install_token_delivery(app, settings)
    install_access(app, settings)
    install_devices(app)
    install_static_files(app, settings)
    install_templating(app)
    install_proxies(app, settings)  # last, so that everything inside sees the truth about the caller


def _install_login(app: Flask) -> None:
    # Without its context processor: that loads the user for every template, also for the page saying the store is down.
    login_manager.init_app(app, add_context_processor=False)
    # Nor its cookie to be remembered by: a login session of its own length does that here, and the hook that looks for
    # the cookie opens the bag after every answer.
    app.after_request_funcs[None].remove(login_manager._update_remember_cookie)
    login_manager.session_protection = None  # the login session's row holds; addresses of phones change all the time
    app.jinja_env.globals["current_user"] = current_user
