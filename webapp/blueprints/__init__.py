"""Doors and pages. Each parses, calls one service, answers; they do not know each other."""

from flask import Flask

from webapp.blueprints import account, api, auth, dev, federation, home, ops
from webapp.extensions import csrf
from webapp.settings import Settings


def register(app: Flask, settings: Settings) -> None:
    """Put every blueprint into `app`. Who may open which route stands in `webapp.http.access`."""
    # Where others can come by, a site that was left in development must not show them everybody's mails.
    is_workbench = settings.APP_ENV == "development" and settings.host in ("127.0.0.1", "localhost", "::1")
    app.jinja_env.globals.update(
        site_name=settings.SITE_NAME,
        password_min_length=settings.PASSWORD_MIN_LENGTH,
        providers=settings.providers,
        provider_labels={config.name: config.label for config in settings.providers},
        mailed_sign_in=settings.MAILED_SIGN_IN,
        passkey_host=settings.passkey_host,
        dev_mail=is_workbench and settings.mail_directory is not None,
    )
    for part in (home, auth, account, federation, ops):
        app.register_blueprint(part.bp)
    csrf.exempt(federation.events)  # signed by the provider, and sent by no browser
    csrf.exempt(api.bp)  # its tokens ride in no form; what its one cookie vouches for is checked by http.origins
    api.register(app)
    if is_workbench:
        app.register_blueprint(dev.bp)
