"""The challenges that passkeys sign."""

import secrets
import uuid

import pytest
from flask import Flask

from tests.rows import Rows, on_sqlite
from webapp.services import passkey_challenges
from webapp.services.passkey_challenges import RANDOM_BYTES, for_registration, for_second_factor, for_sign_in
from webapp.services.passkey_challenges import new_challenge as make


@on_sqlite
@pytest.mark.asvs("6.7.2")
def test_no_two_are_alike_and_each_holds_sixteen_random_bytes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[bytes] = []
    really = secrets.token_bytes

    def draw(length: int) -> bytes:
        drawn.append(really(length))
        return drawn[-1]

    with app.app_context():
        monkeypatch.setattr(passkey_challenges.secrets, "token_bytes", draw)
        made = [make(for_sign_in(None)) for _ in range(10_000)]
    assert {len(part) for part in drawn} == {RANDOM_BYTES}
    assert RANDOM_BYTES >= 16
    assert [challenge[:RANDOM_BYTES] for challenge in made] == drawn
    assert len(set(made)) == len(set(drawn)) == 10_000


@on_sqlite
def test_asking_for_one_costs_no_row(app: Flask, rows: Rows) -> None:
    before = sorted(rows.texts())
    client = app.test_client(use_cookies=False)
    for _ in range(3):
        assert client.get("/login/passkey").status_code == 200
        assert client.post("/api/v1/auth/passkey/options").status_code == 200
    assert sorted(rows.texts()) == before


def test_every_purpose_is_another_one() -> None:
    some, other = uuid.uuid4(), uuid.uuid4()
    purposes = [for_sign_in(None), *map(for_sign_in, ("a", "b"))]
    purposes += [purpose(one) for purpose in (for_registration, for_second_factor) for one in (some, other)]
    assert len(set(purposes)) == len(purposes)
