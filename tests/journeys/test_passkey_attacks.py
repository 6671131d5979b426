"""What no door takes for a passkey's answer. Each case is tried at every door, and the owner gets in afterwards."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from structlog.testing import capture_logs

from tests.conftest import NewApp, NewUser
from tests.journeys.pages import csrf_token
from tests.passkeys.authenticator import Authenticator, Lie, Options, decoded, encoded, new_key
from tests.passkeys.doors import DOORS, LIST, REFUSED, WHOLE, add, options_at, said, sign_in
from tests.people import Browser
from tests.rows import Rows, on_sqlite, stand_still
from webapp.models import Passkey, SpentValue
from webapp.services.passkey_challenges import CHALLENGE_LIFE

pytestmark = on_sqlite
BOB = "bob@example.com"


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    """The application without limits: one test tries more than a minute allows."""
    return new_app(RATELIMIT_ENABLED=False)


@pytest.fixture
def key(app: Flask, alice: str) -> Authenticator:
    """A passkey of Alice's that counts, and stays on its device."""
    browser, made = Browser(app), Authenticator()
    browser.sign_in(alice)
    assert add(browser, made).status_code == 303
    return made


LIES = {
    "a signature by another key": Lie(signed_by=new_key()),
    "another site's page": Lie(client_data={"origin": "https://evil.example"}),
    "another port": Lie(client_data={"origin": "http://localhost:8001"}),
    "a name below ours": Lie(client_data={"origin": "http://a.localhost:8000"}),
    "https in place of http": Lie(client_data={"origin": "https://localhost:8000"}),
    "an origin with a path": Lie(client_data={"origin": "http://localhost:8000/"}),
    "no origin": Lie(client_data={"origin": "null"}),
    "an origin that is a list": Lie(client_data={"origin": ["http://localhost:8000"]}),
    "another site's passkey": Lie(rp_id="evil.example"),
    "the address as the site's name": Lie(rp_id="127.0.0.1"),
    "what was signed to make one": Lie(client_data={"type": "webauthn.create"}),
    "a type of payments": Lie(client_data={"type": "payment.get"}),
    "in a frame of another site": Lie(client_data={"crossOrigin": True}),
    "a cross-origin flag that is a text": Lie(client_data={"crossOrigin": "false"}),
    "below another site's page": Lie(client_data={"topOrigin": "https://evil.example"}),
    "nobody there": Lie(is_present=False),
    "nobody there, yet unlocked": Lie(is_present=False, is_unlocked=True),
    "another user's handle": Lie(user_handle=b"\x00" * 16),
    "an empty handle": Lie(user_handle=b""),
    "a passkey nobody has": Lie(credential_id=b"\x01" * 32),
    "an empty id": Lie(credential_id=b""),
    "two ids": Lie(members={"id": "AAAA"}),
    "a password": Lie(members={"type": "password"}),
    "a counter that stands": Lie(count=1),
    "a counter that is gone": Lie(count=0),
    "a counter that went back": Lie(count=6),
    "backed up, but not able to be": Lie(is_backed_up=True),
    "able to be backed up since": Lie(is_synced=True),
    "backed up since": Lie(is_synced=True, is_backed_up=True),
    "data cut short": Lie(authenticator_data=b"\x00" * 36),
    "data with more behind": Lie(authenticator_data=b"\x00" * 38),
    "no data": Lie(authenticator_data=b""),
    "client data that is no JSON": Lie(raw_client_data=b"{"),
    "client data that is a list": Lie(raw_client_data=b"[]"),
    "client data that is a number": Lie(raw_client_data=b"1" * 5000),
    "client data nested deep": Lie(raw_client_data=b"[" * 5000),
    "client data that is no text": Lie(raw_client_data=b"\xff\xfe\x00\xd8"),
    "no challenge": Lie(client_data={"challenge": ""}),
    "a challenge of its own": Lie(client_data={"challenge": encoded(bytes(56))}),
    "a challenge that is a number": Lie(client_data={"challenge": 5}),
    "a challenge that is an object": Lie(client_data={"challenge": {"a": 1}}),
    "a challenge with padding": Lie(client_data={"challenge": "AAAA=="}),
    "a challenge that is too long": Lie(client_data={"challenge": "A" * 5000}),
    "no response": Lie(members={"response": {}}),
    "a response that is a text": Lie(members={"response": "x"}),
    "an id that is a list": Lie(members={"rawId": ["x"]}),
    "an id that is nothing": Lie(members={"rawId": None}),
    "an id that is too long": Lie(members={"rawId": "A" * 9000}),
    "an id in half of a character": Lie(members={"rawId": "\ud800", "id": "\ud800"}),
    "an id of other letters": Lie(members={"rawId": "가나다라", "id": "가나다라"}),
    "a signature that is a number": Lie(response={"signature": 5}),
    "a signature that is a list": Lie(response={"signature": []}),
    "a signature that is nothing": Lie(response={"signature": None}),
    "an empty signature": Lie(response={"signature": ""}),
    "a signature of odd letters": Lie(response={"signature": "!?"}),
    "client data that is nothing": Lie(response={"clientDataJSON": None}),
    "client data that is an object": Lie(response={"clientDataJSON": {}}),
    "a handle that is a list": Lie(response={"userHandle": []}),
    "a handle of odd letters": Lie(response={"userHandle": "가"}),
    "an attachment nobody knows": Lie(members={"authenticatorAttachment": "brain"}),
}


@pytest.mark.asvs("6.5.7")
@pytest.mark.parametrize("name", LIES)
def test_no_door_opens_to_a_lie(app: Flask, alice: str, key: Authenticator, rows: Rows, name: str) -> None:
    for door, come_to in DOORS.items():
        visit = come_to(app, alice, key)
        before = (rows.all(Passkey)[0].sign_count, len(rows.live()), rows.count(SpentValue))
        lie = LIES[name] if LIES[name].count != 1 else replace(LIES[name], count=before[0])
        assert not visit.send(key.sign(visit.options, lie)), door
        assert (rows.all(Passkey)[0].sign_count, len(rows.live()), rows.count(SpentValue)) == before, door
        assert visit.send(key.sign(visit.options)), f"{door}: the owner is locked out"


def test_where_a_passkey_is_both_factors_it_has_to_be_unlocked(app: Flask, alice: str, key: Authenticator) -> None:
    for door, come_to in DOORS.items():
        visit = come_to(app, alice, key)
        assert visit.send(key.sign(visit.options, Lie(is_unlocked=False))) is (door not in WHOLE), door
        if door in WHOLE:
            assert visit.options["userVerification"] == "required", door


def test_where_nobody_was_named_before_the_passkey_has_to_say_whose_it_is(
    app: Flask, alice: str, key: Authenticator
) -> None:
    for door, come_to in DOORS.items():
        visit = come_to(app, alice, key)
        assert visit.send(key.sign(visit.options, Lie(names_nobody=True))) is (door not in WHOLE), door


@pytest.mark.asvs("6.7.2")
@pytest.mark.parametrize("door", DOORS)
def test_an_answer_is_taken_once(app: Flask, alice: str, key: Authenticator, door: str) -> None:
    first = DOORS[door](app, alice, key)
    answer = key.sign(first.options)
    assert first.send(answer)
    for again in DOORS:
        assert not DOORS[again](app, alice, key).send(answer), again


@pytest.mark.asvs("6.7.2")
def test_a_challenge_is_good_once_also_for_a_passkey_that_does_not_count(app: Flask, alice: str) -> None:
    browser, uncounted = Browser(app), Authenticator(counts=False)
    browser.sign_in(alice)
    add(browser, uncounted)
    for door, come_to in DOORS.items():
        visit = come_to(app, alice, uncounted)
        answer, another = uncounted.sign(visit.options), uncounted.sign(visit.options)
        assert visit.send(answer), door
        assert not come_to(app, alice, uncounted).send(answer), door
        assert not come_to(app, alice, uncounted).send(another), door


@pytest.mark.asvs("6.7.2")
def test_what_was_asked_for_one_thing_proves_no_other(app: Flask, alice: str, key: Authenticator) -> None:
    """Nor anything in another browser: what a thief reads over somebody's shoulder opens nothing elsewhere."""
    same = {("API sign in", "API sign in"), ("second step", "API second step"), ("API second step", "second step")}
    same |= {(door, door) for door in ("second step", "API second step")}  # one user, and their first factor shown
    for asked, answered in ((one, other) for one in DOORS for other in DOORS):
        options = DOORS[asked](app, alice, key).options
        opened = DOORS[answered](app, alice, key).send(key.sign(options))
        assert opened is ((asked, answered) in same), (asked, answered)


@pytest.mark.asvs("6.7.2")
def test_what_was_asked_to_make_a_passkey_shows_none_and_the_other_way_round(
    app: Flask, alice: str, key: Authenticator, rows: Rows
) -> None:
    owner = Browser(app)
    sign_in(owner, key)
    made = options_at(owner, f"{LIST}/options")
    for door, come_to in DOORS.items():
        visit = come_to(app, alice, key)
        assert not visit.send(key.sign({**visit.options, "challenge": made["challenge"]})), door
        new = Authenticator().make({**made, "challenge": visit.options["challenge"]})
        assert _add(owner, new) == 422, door
    assert rows.count(Passkey) == 1


@pytest.mark.asvs("6.7.2")
def test_what_was_asked_to_make_a_passkey_makes_none_in_another_session(
    app: Flask, key: Authenticator, rows: Rows, new_user: NewUser
) -> None:
    owner, elsewhere, mallory = Browser(app), Browser(app), Browser(app)
    sign_in(owner, key)
    sign_in(elsewhere, key)
    mallory.sign_in(new_user("mallory@example.com"))
    made = Authenticator().make(options_at(owner, f"{LIST}/options"))
    assert [_add(browser, made) for browser in (mallory, elsewhere)] == [422, 422]
    assert _add(owner, made) == 303
    assert _add(owner, made) == 422
    assert rows.count(Passkey) == 2


def _add(browser: Browser, made: object) -> int:
    return browser.submit(LIST, LIST, credential=json.dumps(made), name="").status_code


@pytest.mark.asvs("6.7.2")
def test_a_challenge_is_good_for_five_minutes(
    app: Flask, alice: str, key: Authenticator, at: time_machine.Traveller
) -> None:
    stand_still(at)
    for door, come_to in DOORS.items():
        late, in_time = come_to(app, alice, key), come_to(app, alice, key)
        at.shift(CHALLENGE_LIFE - timedelta(seconds=2))
        assert in_time.send(key.sign(in_time.options)), door
        at.shift(timedelta(seconds=2))
        assert not late.send(key.sign(late.options)), door


def test_a_challenge_of_another_site_is_none_here(app: Flask, new_app: NewApp, alice: str, key: Authenticator) -> None:
    """The same tables even, but another secret key; while it is being changed, the old one still counts."""
    stranger = new_app(SECRET_KEY="another key of more than thirty-two letters", RATELIMIT_ENABLED=False)
    both = new_app(
        SECRET_KEY="another key of more than thirty-two letters",
        SECRET_KEY_FALLBACKS=app.extensions["runtime"].settings.SECRET_KEY,
        RATELIMIT_ENABLED=False,
    )
    for asked, answered, opens in ((stranger, app, False), (both, app, False), (app, both, True)):
        options = DOORS["API sign in"](asked, alice, key).options
        assert DOORS["API sign in"](answered, alice, key).send(key.sign(options)) is opens


def test_somebody_elses_passkey_is_no_second_factor_of_mine(
    app: Flask, alice: str, key: Authenticator, new_user: NewUser
) -> None:
    mallory, hers = Browser(app), Authenticator()
    mallory.sign_in(new_user("mallory@example.com"))
    add(mallory, hers)
    for door in ("second step", "API second step"):
        visit = DOORS[door](app, alice, key)
        stranger = DOORS[door](app, "mallory@example.com", hers)
        assert not visit.send(hers.sign({**visit.options, "allowCredentials": []})), door
        assert not visit.send(hers.sign({**stranger.options, "allowCredentials": []})), door
        assert not visit.send(key.sign({**stranger.options, "allowCredentials": []})), door
        # An id of the right one, with what the wrong one signed.
        assert not visit.send(hers.sign({**visit.options, "allowCredentials": []}, _named_as(key))), door
        assert visit.send(key.sign(visit.options)), door


def test_somebody_elses_passkey_does_not_renew_my_sign_in(
    app: Flask, alice: str, key: Authenticator, new_user: NewUser
) -> None:
    mallory, hers = Browser(app), Authenticator()
    mallory.sign_in(new_user("mallory@example.com"))
    add(mallory, hers)
    visit = DOORS["reauthentication"](app, alice, key)
    assert not visit.send(hers.sign(visit.options))
    assert not visit.send(key.sign(visit.options)), "a challenge was good twice"


def _named_as(key: Authenticator) -> Lie:
    return Lie(credential_id=key.credentials[0].id, user_handle=key.credentials[0].user_handle)


TEXTS = ["", "null", "[]", "5", '"x"', "{", "{}", '{"response":{}}', '{"response":[]}', '{"rawId":"AA","response":{}}']
TEXTS += ["[" * 8000, "1" * 8000, '{"response":{},"a":' + "[" * 2000 + "]" * 2000 + "}", "{" + " " * 17_000 + "}"]
TEXTS += ['{"response":{},"a":NaN}', "\u0000", "가", '{"rawId":"\\ud800","response":{}}']


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:24]))
def test_a_field_with_anything_in_it_is_refused_calmly(app: Flask, alice: str, key: Authenticator, text: str) -> None:
    for browser, page, path in _forms(app, alice, key):
        token = csrf_token(browser.get(page))
        fields = {"csrf_token": token, "credential": text, "method": "passkey"}
        answer = browser.post(path, fields)
        assert answer.status_code in (303, 422, 400 if "\0" in text else 422), path
        if answer.status_code != 400:
            assert REFUSED in said(browser, answer), path


def _forms(app: Flask, alice: str, key: Authenticator) -> Iterator[tuple[Browser, str, str]]:
    visitor, halfway, owner = Browser(app), Browser(app), Browser(app)
    halfway.sign_in(alice)
    sign_in(owner, key)
    yield visitor, "/login", "/login/passkey"
    yield halfway, "/login/verify", "/login/verify"
    yield owner, LIST, LIST
    yield owner, "/reauthenticate", "/reauthenticate/passkey"


@pytest.mark.parametrize("method", ["", "pwd", "totp", "recovery", "PASSKEY", "passkey "])
def test_another_method_than_there_is_proves_nothing(app: Flask, alice: str, key: Authenticator, method: str) -> None:
    browser = Browser(app)
    browser.sign_in(alice)
    proof = json.dumps(key.sign(options_at(browser, "/login/verify/passkey")))
    answer = browser.submit("/login/verify", "/login/verify", credential=proof, method=method, code=proof)
    assert answer.status_code == 422
    assert not browser.is_signed_in


def test_every_refusal_is_logged_with_why_and_changes_of_backup_are(
    app: Flask, alice: str, key: Authenticator, rows: Rows
) -> None:
    reasons = {
        "replayed": None,
        "counter": Lie(count=0),
        "backup_eligibility": Lie(is_synced=True),
        "user_handle": Lie(user_handle=b"x"),
        "unknown": Lie(credential_id=b"x"),
        "cross_origin": Lie(client_data={"crossOrigin": True}),
        "challenge": Lie(client_data={"challenge": encoded(bytes(56))}),
        "client_data": Lie(raw_client_data=b"{"),
        "malformed": Lie(members={"rawId": 5}),
        "InvalidAuthenticationResponse": Lie(signed_by=new_key()),
    }
    for reason, lie in reasons.items():
        visit = DOORS["API sign in"](app, alice, key)
        answer = key.sign(visit.options, lie or Lie())
        if lie is None:
            visit.send(answer)
        with capture_logs() as log:
            assert not visit.send(answer)
        assert [line["reason"] for line in log if line["event"] == "passkey_refused"] == [reason]
        assert str(key.credentials[0].id) not in str(log)
    manager = Authenticator(synced=True)
    owner = Browser(app)
    sign_in(owner, key)
    add(owner, manager)
    for is_backed_up, told in ((True, 0), (False, 1), (False, 0), (True, 1)):
        visit = DOORS["API sign in"](app, alice, key)
        with capture_logs() as log:
            assert visit.send(manager.sign(visit.options, Lie(is_backed_up=is_backed_up)))
        assert len([line for line in log if line["event"] == "passkey_backup_changed"]) == told
        assert rows.all(Passkey, synced=True)[0].backed_up is is_backed_up


@pytest.mark.asvs("6.7.1")
def test_nothing_that_is_sent_changes_a_key_or_a_counter_of_one_that_is_there(
    app: Flask, key: Authenticator, rows: Rows
) -> None:
    owner, other = Browser(app), new_key()
    sign_in(owner, key)
    before = rows.all(Passkey)[0]
    mine = key.credentials[0]
    again = Authenticator().make(options_at(owner, f"{LIST}/options"), Lie(credential_id=mine.id, signed_by=other))
    extra = {"public_key": "x", "sign_count": "0", "credential_id": "x", "user_id": "x", "synced": "1"}
    owner.submit(LIST, LIST, credential=json.dumps(again), name="x", **extra)
    owner.submit(LIST, f"{LIST}/{before.id}/rename", name="After", **extra)
    after = rows.all(Passkey)[0]
    assert after.name == "After"
    kept = ("public_key", "sign_count", "credential_id", "user_id", "synced", "backed_up", "transports")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert decoded(options_at(owner, f"{LIST}/options")["excludeCredentials"][0]["id"]) == mine.id


def test_somebody_who_tries_many_has_to_wait(new_app: NewApp, alice: str) -> None:
    """Each try costs a signature to verify."""
    site = new_app()
    visit = DOORS["API sign in"](site, alice, Authenticator())
    stranger = Authenticator()
    options: Options = {**visit.options, "rp": {"id": "localhost"}, "user": {"id": "AA"}}
    stranger.make(options)
    for _ in range(60):
        assert not visit.send(stranger.sign(visit.options))
    answer = Browser(site, ip="203.0.113.9").submit("/login", "/login/passkey", credential="{}")
    assert answer.status_code == 303  # what is no answer of a passkey costs nothing
    proof = json.dumps(stranger.sign(visit.options))
    assert Browser(site, ip="203.0.113.9").submit("/login", "/login/passkey", credential=proof).status_code == 429
