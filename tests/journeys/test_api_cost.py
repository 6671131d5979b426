"""What a call costs: verifying a token no query at all, and the calls that apps make all day one statement."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.apps import App, a_second_passes, stop_the_clock
from tests.journeys.test_cost_of_a_page import Commands, commands, commands_sent
from tests.rows import Rows, statements

__all__ = ["commands"]  # the fixture

REVOKED, JOINED, STEP, LOOK = (
    "SELECT replace(CAST(login_sessions.id AS TEXT)",
    "JOIN users",
    "UPDATE login_sessions",
    "SELECT",
)


@pytest.fixture
def phone(app: Flask, alice: str) -> App:
    """An app that is signed in, on a worker that has all the news, while time stands still."""
    stop_the_clock(app)
    phone = App(app)
    phone.sign_in(alice)
    assert phone.get("/auth/session").status_code == 200
    return phone


def cost_of(call: Callable[[], object], rows: Rows, commands: Commands) -> list[str]:
    """The statements of a call, which has no business with Redis."""
    with statements(rows.engine) as sent, commands_sent(commands) as asked:
        answer = call()
    assert answer.status_code == 200  # type: ignore[attr-defined]
    assert asked == []
    return sent


def test_a_verified_token_costs_no_query(phone: App, rows: Rows, commands: Commands) -> None:
    for _ in range(5):
        assert cost_of(lambda: phone.get("/auth/session"), rows, commands) == []


def test_the_news_is_read_once_a_second_for_all_requests_of_it(phone: App, rows: Rows, commands: Commands) -> None:
    for _ in range(3):
        a_second_passes(phone.app)
        sent = [cost_of(lambda: phone.get("/auth/session"), rows, commands) for _ in range(4)]
        assert [len(each) for each in sent] == [1, 0, 0, 0]
        assert sent[0][0].startswith(REVOKED)


def test_the_account_costs_one_joined_query(phone: App, rows: Rows, commands: Commands) -> None:
    (sent,) = cost_of(lambda: phone.get("/me"), rows, commands)
    assert sent.startswith("SELECT")
    assert JOINED in sent


@pytest.mark.parametrize("path", ["/sessions", "/events"])
def test_a_list_costs_one_query_more(phone: App, rows: Rows, commands: Commands, path: str) -> None:
    sent = cost_of(lambda: phone.get(path), rows, commands)
    assert len(sent) == 2
    assert JOINED in sent[0]
    assert all(statement.startswith("SELECT") for statement in sent)


def test_a_refresh_is_one_statement_and_a_lost_answer_two(phone: App, rows: Rows, commands: Commands) -> None:
    lost = phone.refresh_token
    for _ in range(3):
        lost = phone.refresh_token
        (sent,) = cost_of(phone.refresh, rows, commands)
        assert sent.startswith(STEP)
    sent = cost_of(lambda: phone.refresh(lost), rows, commands)
    assert [statement.split()[0] for statement in sent] == ["UPDATE", "SELECT"]


def test_the_size_of_an_account_is_no_matter(phone: App, rows: Rows, commands: Commands) -> None:
    rows.api_sessions(60)
    assert len(cost_of(lambda: phone.get("/sessions"), rows, commands)) == 2
    assert len(cost_of(phone.refresh, rows, commands)) == 1
