"""On a development machine there is an app that tries the API in the browser; nowhere else is there such a page."""

from pathlib import Path

import pytest

from tests.asvs.test_templates_and_scripts import Tags
from tests.conftest import NewApp
from webapp.policy.login_sessions import EndReason

SPA = "/demo/spa"


@pytest.mark.parametrize("mail_url", ["file:{}", "smtp://127.0.0.1:25"])
def test_it_is_there_whether_mails_are_written_or_sent(new_app: NewApp, tmp_path: Path, mail_url: str) -> None:
    client = new_app(APP_ENV="development", MAIL_URL=mail_url.format(tmp_path / "mail")).test_client()
    assert client.get(SPA).status_code == 200


@pytest.mark.parametrize("environment", ["testing", "production"])
def test_only_development_has_such_a_page(new_app: NewApp, environment: str) -> None:
    url = "https://login.example.com"
    client = new_app(APP_ENV=environment, PUBLIC_URL=url).test_client()
    assert client.get(SPA, base_url=url).status_code == 404


@pytest.mark.parametrize("path", [SPA, "/dev/mail"])
def test_a_site_that_was_left_in_development_where_others_come_by_has_no_such_page(new_app: NewApp, path: str) -> None:
    url = "https://login.example.com"
    client = new_app(APP_ENV="development", PUBLIC_URL=url).test_client()
    assert client.get(path, base_url=url).status_code == 404


def test_should_its_script_fail_no_password_goes_anywhere(new_app: NewApp) -> None:
    """A form without a script sends its fields to the address of its page, where they would stand in logs."""
    page = Tags(new_app(APP_ENV="development").test_client().get(SPA).text)
    forms = [attributes for tag, attributes in page.tags if tag == "form"]
    assert [(form["method"], "action" in form) for form in forms] == [("dialog", False)]


def test_it_opens_no_session(new_app: NewApp) -> None:
    assert "Set-Cookie" not in new_app(APP_ENV="development").test_client().get(SPA).headers


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_way_a_session_ends_has_its_sentence(new_app: NewApp, language: str) -> None:
    client = new_app(APP_ENV="development").test_client()
    page = Tags(client.get(SPA, headers={"Accept-Language": language}).text)
    told = {attributes["data-ending"] for _, attributes in page.tags if "data-ending" in attributes}
    codes = {"session_revoked", "refresh_reused", "token_expired", "token_invalid"}
    assert told >= codes | {reason.value for reason in EndReason}
