"""What an operator, a password manager and a finder of weaknesses ask for."""

from datetime import datetime, timedelta

import pytest

from tests.people import runtime_of
from tests.rows import statements
from webapp import clock
from webapp.services import readiness


def test_health_touches_nothing(app):
    with statements(runtime_of(app).engine) as sent:
        answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert sent == []
    assert "Set-Cookie" not in answer.headers


def test_readiness_asks_the_stores(app):
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


@pytest.mark.asvs("16.5.1", "16.5.2")
def test_readiness_names_what_is_down_and_nothing_more(new_app, tmp_path):
    app = new_app(DATABASE_URL=f"sqlite:///{tmp_path}", REDIS_URL="")
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"status": "unavailable", "down": ["database"]})


def test_before_a_stop_proxies_are_sent_elsewhere_while_everybody_is_still_answered(new_app, tmp_path):
    file = tmp_path / "draining"
    client = new_app(DRAIN_FILE=file).test_client()
    assert [client.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
    file.touch()
    for path in ("/healthz", "/readyz"):
        answer = client.get(path)
        assert (answer.status_code, answer.json) == (503, {"status": "draining"})
    assert client.get("/login").status_code == 200


def test_redis_that_is_away_is_noticed_at_once():
    assert not readiness.redis_answers("redis://127.0.0.1:1/0")


def test_password_managers_find_the_page_to_change_a_password(app):
    answer = app.test_client().get("/.well-known/change-password")
    assert (answer.status_code, answer.location) == (303, "/account/password")


def test_a_finder_of_a_weakness_finds_whom_to_tell(new_app):
    app = new_app(SECURITY_CONTACT="mailto:security@example.com")
    answer = app.test_client().get("/.well-known/security.txt")
    assert answer.content_type == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"] == "mailto:security@example.com"
    assert fields["Canonical"] == "http://127.0.0.1:8000/.well-known/security.txt"
    assert timedelta(days=30) < datetime.fromisoformat(fields["Expires"]) - clock.now() < timedelta(days=365)


def test_without_a_contact_there_is_no_such_page(app):
    assert app.test_client().get("/.well-known/security.txt").status_code == 404
