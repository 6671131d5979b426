"""What gunicorn and the flask command load: `gunicorn wsgi:app`."""

import sys

from webapp import create_app
from webapp.http.background import install_background
from webapp.services.housekeeping import purge
from webapp.settings import Settings, SettingsError

try:
    app = create_app(Settings.from_env())
    install_background(app, housekeeping=purge)
except SettingsError as error:
    print(f"Not started, the settings are wrong: {error}", file=sys.stderr)  # noqa: T201  there is no log yet
    sys.exit(4)  # gunicorn's "the application cannot be loaded": it stops instead of starting workers for ever
