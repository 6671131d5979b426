"""For tests of what is refused: one site for all of a module, since a refusal leaves everything as it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blueprints.api.calls import BASE_URL, NO_PROVIDER, REDIRECT_URI, Site
from tests.conftest import CHEAP_HASHES, SECRET_KEY
from tests.people import PASSWORD, Browser, Mailbox
from webapp import create_app
from webapp.extensions import db
from webapp.provider_settings import DISCOVERY_PATH
from webapp.settings import Settings


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Site]:
    """A site with Alice in it, and with a provider that is away."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copyfile(migrated_sqlite, folder / "app.db")
    app = create_app(
        Settings.checked(
            APP_ENV="testing",
            PUBLIC_URL=BASE_URL,
            SECRET_KEY=SECRET_KEY,
            DATABASE_URL=f"sqlite:///{folder / 'app.db'}",
            MAIL_URL=f"file:{folder / 'mail'}",
            INSTANCE_PATH=folder / "instance",
            GOOGLE_CLIENT_ID="a-client",
            GOOGLE_METADATA_URL=NO_PROVIDER + DISCOVERY_PATH,
            API_REDIRECT_URIS=REDIRECT_URI,
            **CHEAP_HASHES,
        )
    )
    app.config["PROPAGATE_EXCEPTIONS"] = False
    Browser(app).submit("/register", email="alice@example.com", password=PASSWORD, name="Alice")
    Browser(app).submit(Mailbox(app).link("alice@example.com", "/verify-email/"))
    yield Site(app)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
