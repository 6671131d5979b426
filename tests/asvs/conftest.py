"""What the tests of documents share."""

import pytest
from flask import Flask

from webapp import create_app
from webapp.settings import Settings


@pytest.fixture(scope="module")
def development_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """Every route there can be; nothing is connected."""
    folder = tmp_path_factory.mktemp("documented")
    return create_app(
        Settings.checked(
            APP_ENV="development",
            SECRET_KEY="k" * 40,
            DATABASE_URL=f"sqlite:///{folder / 'app.db'}",
            MAIL_URL=f"file:{folder / 'mail'}",
        )
    )
