"""The application here waits long for a lock: crowds of requests stand in line on whatever machine runs the tests."""

import pytest
from flask import Flask

from tests.conftest import NewApp


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    """The application as it comes, but patient."""
    return new_app()
