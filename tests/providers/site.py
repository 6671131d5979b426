"""The site set up for the providers of tests, and people who go there and come back."""

import json
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from stand_in.people import GMAIL, Person
from tests.conftest import NewApp
from tests.people import Browser
from tests.providers.lying import LyingProvider

START = "/login/google"


def google_settings(provider: LyingProvider) -> dict[str, Any]:
    """What makes `provider` stand where Google would."""
    return {
        "GOOGLE_CLIENT_ID": provider.client_id,
        "GOOGLE_CLIENT_SECRET": provider.client_secret,
        "GOOGLE_METADATA_URL": provider.metadata_url,
    }


def another_provider(provider: LyingProvider, name: str = "acme", **more: Any) -> dict[str, Any]:
    """What makes it a provider of its own beside Google."""
    about = {
        "name": name,
        "label": name.capitalize(),
        "metadata_url": provider.metadata_url,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        **more,
    }
    return {"OIDC_PROVIDERS": json.dumps([about])}


@pytest.fixture
def google(new_app: NewApp, provider: LyingProvider) -> Flask:
    """The site, with `provider` in Google's place."""
    return new_app(**google_settings(provider))


def leave(browser: Browser, *, page: str = "/login", action: str = START, **fields: str) -> str:
    """Press the button that leads to a provider; where it leads."""
    answer = browser.submit(page, action, **fields)
    assert answer.status_code == 303, (answer.status, answer.text[-400:])
    return answer.headers["Location"]


def come_back(browser: Browser, callback_url: str) -> TestResponse:
    """Follow the provider's redirect back to the site."""
    return browser.get(callback_url.removeprefix(browser.base_url))


def sign_in_with(
    browser: Browser, provider: LyingProvider, person: Person = GMAIL, *, action: str = START, **lies: Any
) -> TestResponse:
    """Sign in at the provider as `person`; the site's answer to the way back."""
    return come_back(browser, provider.approve(leave(browser, action=action), person, **lies))
