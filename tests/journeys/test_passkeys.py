"""Passkeys: made, named, used at every door, taken away."""

import json
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.apps import App
from tests.conftest import NewApp, NewUser
from tests.journeys.pages import csrf_token
from tests.passkeys.authenticator import EDDSA, RS256, Authenticator, Lie, decoded
from tests.passkeys.doors import DOORS, LIST, add, at_api_sign_in, options_at, said, send, sign_in
from tests.people import PASSWORD, Browser, Mailbox, text_of
from tests.rows import Rows, on_sqlite
from webapp.models import LoginSession, Passkey
from webapp.models.passkey import NAME_LENGTH
from webapp.services.passkeys import MOST_A_USER


@pytest.fixture
def owner(app: Flask, alice: str) -> Browser:
    """Alice at her browser, signed in just now."""
    browser = Browser(app)
    browser.sign_in(alice)
    return browser


def methods_of(rows: Rows) -> list[str]:
    return [row.methods for row in rows.live()]


def test_a_passkey_signs_in_without_a_password_or_an_address(
    app: Flask, alice: str, owner: Browser, rows: Rows, mailbox: Mailbox
) -> None:
    phone = Authenticator(synced=True)
    answer = add(owner, phone, name="My phone")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/security/recovery-codes")
    assert owner.is_signed_in
    assert methods_of(rows) == ["pwd swk mfa"]
    assert "A passkey was added" in text_of(mailbox.newest(alice))
    assert "factor_added" in rows.events()
    owner.sign_out()
    elsewhere = Browser(app)
    answer = sign_in(elsewhere, phone, next="/account/sessions")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/sessions")
    assert elsewhere.is_signed_in
    assert methods_of(rows) == ["swk mfa"]
    (passkey,) = rows.all(Passkey)
    assert (passkey.name, passkey.synced, passkey.backed_up) == ("My phone", True, True)
    assert passkey.last_used_at is not None


@pytest.mark.parametrize("algorithm", [EDDSA, RS256])
@on_sqlite
def test_keys_of_other_makers_do_as_well(app: Flask, owner: Browser, algorithm: int) -> None:
    key = Authenticator(algorithm=algorithm, counts=False)
    assert add(owner, key).status_code == 303
    browser = Browser(app)
    for _ in range(2):  # one that does not count says 0 for ever
        sign_in(browser, key)
        assert browser.is_signed_in
        browser.sign_out()


@on_sqlite
@pytest.mark.parametrize("door", DOORS)
def test_every_door_opens_to_a_passkey(app: Flask, alice: str, owner: Browser, rows: Rows, door: str) -> None:
    key = Authenticator()
    add(owner, key)
    visit = DOORS[door](app, alice, key)
    assert visit.send(key.sign(visit.options))
    newest = max(rows.all(LoginSession), key=lambda row: row.created_at)
    expected = "pwd hwk mfa" if "second" in door else "hwk mfa"
    assert newest.methods == expected


@on_sqlite
def test_the_api_tells_how_a_person_came_in(app: Flask, alice: str, owner: Browser) -> None:
    key, phone = Authenticator(), App(app)
    add(owner, key)
    options = phone.post("/auth/passkey/options").json["publicKey"]
    tokens = phone.post("/auth/passkey", {"credential": key.sign(options), "device_name": "Alice's phone"}).json
    phone.access_token = tokens["access_token"]
    assert phone.get("/auth/session").json["amr"] == ["hwk", "mfa"]
    assert phone.get("/me").json["email"] == alice
    assert "Alice's phone" in [session["device_name"] for session in phone.get("/sessions").json]


@on_sqlite
def test_an_account_has_several_each_with_a_name_a_kind_and_when_it_was_used(app: Flask, owner: Browser) -> None:
    laptop, manager = Authenticator(), Authenticator(synced=True, transports=("internal", "hybrid"))
    key = Authenticator(transports=("usb", "nfc"))
    add(owner, laptop)  # named after the browser
    add(owner, manager, name="  My   manager\u202e ")
    add(owner, key, name="K" * 90)
    page = said(owner, owner.get(LIST))
    assert [kind for kind in ("One device only", "Synced", "Security key") if kind in page] == [
        "One device only",
        "Synced",
        "Security key",
    ]
    assert "Chrome on Windows" in page
    assert "My manager" in page
    assert "\u202e" not in page
    assert "K" * NAME_LENGTH in page
    assert "K" * (NAME_LENGTH + 1) not in page
    assert page.count("not yet") == 3
    sign_in(Browser(app), manager)
    assert said(owner, owner.get(LIST)).count("not yet") == 2


@on_sqlite
def test_a_browser_is_told_which_passkeys_there_are_and_where(app: Flask, alice: str, owner: Browser) -> None:
    key = Authenticator(transports=("usb", "nfc"))
    add(owner, key)
    told = [{"type": "public-key", "id": options["id"], "transports": ["usb", "nfc"]} for options in shown(key)]
    options = options_at(owner, f"{LIST}/options")
    assert options["excludeCredentials"] == told
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["attestation"] == "none"
    elsewhere = Browser(app)
    elsewhere.sign_in(alice)
    assert options_at(elsewhere, "/login/verify/passkey")["allowCredentials"] == told
    assert options_at(Browser(app), "/login/passkey").get("allowCredentials", []) == []


def shown(authenticator: Authenticator) -> list[dict[str, str]]:
    return [authenticator.sign({"challenge": "", "rpId": ""}, credential=one) for one in authenticator.credentials]


@on_sqlite
def test_options_name_nobody_before_somebody_has_shown_the_first_factor(app: Flask, owner: Browser) -> None:
    add(owner, Authenticator())
    stranger = Browser(app)
    assert set(options_at(stranger, "/login/passkey")) <= {
        "challenge",
        "timeout",
        "rpId",
        "allowCredentials",
        "userVerification",
    }
    answer = stranger.get("/login/verify/passkey")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login")


@on_sqlite
@pytest.mark.asvs("7.5.1")
def test_every_change_asks_for_a_fresh_sign_in(owner: Browser, rows: Rows, at: time_machine.Traveller) -> None:
    key = Authenticator()
    add(owner, key, name="Before")
    made = key.make(options_at(owner, f"{LIST}/options"))
    (passkey,) = rows.all(Passkey)
    changes = {
        LIST: {"credential": str(made)},
        f"{LIST}/{passkey.id}/rename": {"name": "After"},
        f"{LIST}/{passkey.id}/remove": {},
    }
    at.shift(timedelta(minutes=11))
    for path, fields in changes.items():
        answer = owner.submit(LIST, path, **fields)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/reauthenticate?next={LIST}"), path
    assert owner.get(f"{LIST}/options").status_code == 303
    assert [row.name for row in rows.all(Passkey)] == ["Before"]


@on_sqlite
@pytest.mark.asvs("7.5.1")
def test_a_password_alone_is_not_fresh_where_there_is_a_passkey(
    alice: str, owner: Browser, at: time_machine.Traveller
) -> None:
    key = Authenticator()
    add(owner, key)
    at.shift(timedelta(minutes=11))
    page = f"/reauthenticate?next={LIST}"
    token = csrf_token(owner.get(page))
    assert owner.post("/reauthenticate", {"csrf_token": token, "password": PASSWORD}).status_code == 303
    assert owner.get(f"{LIST}/options").status_code == 303
    proof = key.sign(options_at(owner, "/login/passkey"))
    answer = owner.submit(page, "/reauthenticate/passkey", credential=json.dumps(proof))
    assert answer.headers["Location"] == LIST
    assert owner.get(f"{LIST}/options").status_code == 200


@on_sqlite
def test_it_can_be_called_something_else(owner: Browser, rows: Rows) -> None:
    add(owner, Authenticator(), name="Before")
    (passkey,) = rows.all(Passkey)
    assert owner.submit(LIST, f"{LIST}/{passkey.id}/rename", name=" <b>After</b> ").status_code == 303
    assert "&lt;b&gt;After&lt;/b&gt;" in owner.get(LIST).text
    assert owner.submit(LIST, f"{LIST}/{passkey.id}/rename", name="A" * 101).status_code == 422
    owner.submit(LIST, f"{LIST}/{passkey.id}/rename", name=" ")
    assert "Chrome on Windows" in said(owner, owner.get(LIST))


@pytest.mark.asvs("6.5.6")
def test_one_that_was_removed_opens_no_door_any_more(
    app: Flask, alice: str, owner: Browser, rows: Rows, mailbox: Mailbox
) -> None:
    lost, kept = Authenticator(), Authenticator()
    add(owner, lost)
    add(owner, kept)
    visits = {door: make(app, alice, kept) for door, make in DOORS.items()}
    first = rows.all(Passkey, credential_id=lost.credentials[0].id)[0]
    assert owner.submit(LIST, f"{LIST}/{first.id}/remove").status_code == 303
    assert "A passkey was removed" in text_of(mailbox.newest(alice))
    for door in ("sign in", "API sign in"):
        assert not visits[door].send(lost.sign(visits[door].options)), door
    for door, make in DOORS.items():
        visit = make(app, alice, kept)
        assert not visit.send(lost.sign(visit.options, credential=lost.credentials[0])), door
        assert visit.send(kept.sign(visit.options)), door


@on_sqlite
@pytest.mark.asvs("7.4.3")
def test_the_first_one_and_a_removed_one_sign_everybody_else_out(app: Flask, alice: str, owner: Browser) -> None:
    thief = Browser(app, ip="203.0.113.66")
    thief.sign_in(alice)
    key, other = Authenticator(), Authenticator()
    add(owner, key)
    assert not thief.is_signed_in
    add(owner, other)
    elsewhere = Browser(app)
    sign_in(elsewhere, key)
    owner.submit(LIST, owner_removal(owner))
    assert owner.is_signed_in
    assert not elsewhere.is_signed_in


def owner_removal(browser: Browser) -> str:
    """The first form of the list that removes a passkey."""
    page = browser.get(LIST).text
    return next(part.partition('"')[0] for part in page.split('action="') if "/remove" in part.partition('"')[0])


@on_sqlite
def test_without_its_last_passkey_an_account_is_asked_for_none(app: Flask, alice: str, owner: Browser) -> None:
    add(owner, Authenticator())
    owner.submit(LIST, owner_removal(owner))
    browser = Browser(app)
    browser.sign_in(alice)
    assert browser.is_signed_in


@on_sqlite
def test_the_last_one_stays_where_a_second_factor_is_demanded(new_app: NewApp, alice: str, rows: Rows) -> None:
    browser = Browser(new_app(MFA_REQUIRED=True))
    browser.sign_in(alice)
    assert add(browser, Authenticator()).status_code == 303
    answer = browser.submit(LIST, owner_removal(browser))
    assert answer.status_code == 422
    assert "set another one up" in said(browser, answer)
    assert rows.count(Passkey) == 1


@on_sqlite
def test_nobody_renames_or_removes_somebody_elses(app: Flask, owner: Browser, new_user: NewUser, rows: Rows) -> None:
    add(owner, Authenticator(), name="Alice's")
    (passkey,) = rows.all(Passkey)
    mallory = Browser(app)
    mallory.sign_in(new_user("mallory@example.com"))
    add(mallory, Authenticator())
    for action in ("rename", "remove"):
        token = csrf_token(mallory.get(LIST))
        answer = mallory.post(f"{LIST}/{passkey.id}/{action}", {"csrf_token": token, "name": "Mallory's"})
        assert answer.status_code == 404
    assert [row.name for row in rows.all(Passkey, user_id=passkey.user_id)] == ["Alice's"]


@on_sqlite
@pytest.mark.asvs("2.3.2")
def test_there_are_only_so_many(owner: Browser, rows: Rows) -> None:
    key = Authenticator()
    for _ in range(MOST_A_USER - 1):
        assert add(owner, key).status_code == 303
    last, late = (key.make(options_at(owner, f"{LIST}/options")) for _ in range(2))
    assert owner.submit(LIST, LIST, credential=json.dumps(last), name="").status_code == 303
    page = owner.get(LIST)
    assert "as many passkeys as an account can have" in page.text
    assert "data-passkey=" not in page.text
    assert owner.get(f"{LIST}/options").headers["Location"] == LIST
    answer = owner.post(LIST, {"csrf_token": csrf_token(page), "credential": json.dumps(late)})
    assert answer.status_code == 422
    assert "Please remove one first." in answer.text
    assert rows.count(Passkey) == MOST_A_USER


@on_sqlite
def test_the_same_one_is_not_added_twice(owner: Browser, rows: Rows) -> None:
    key = Authenticator()
    add(owner, key)
    again = key.show_again(key.credentials[0], options_at(owner, f"{LIST}/options"))
    answer = owner.submit(LIST, LIST, credential=json.dumps(again), name="")
    assert answer.status_code == 422
    assert "in the list already" in answer.text
    assert rows.count(Passkey) == 1


@on_sqlite
def test_the_id_of_somebody_elses_passkey_cannot_be_taken(
    app: Flask, alice: str, owner: Browser, new_user: NewUser, rows: Rows
) -> None:
    """With it, Mallory's key would stand where Alice's is looked up."""
    key = Authenticator()
    add(owner, key)
    mallory = Browser(app)
    mallory.sign_in(new_user("mallory@example.com"))
    answer = add(mallory, Authenticator(), Lie(credential_id=key.credentials[0].id))
    assert answer.status_code == 422
    assert rows.count(Passkey) == 1
    visit = at_api_sign_in(app, alice, key)
    assert visit.send(key.sign(visit.options))


@on_sqlite
def test_where_passkeys_are_managed_can_be_found(app: Flask) -> None:
    answer = Browser(app).get("/.well-known/passkey-endpoints")
    assert answer.mimetype == "application/json"
    assert answer.json == {
        "enroll": f"http://127.0.0.1:8000{LIST}",
        "manage": f"http://127.0.0.1:8000{LIST}",
    }


@on_sqlite
@pytest.mark.parametrize(
    ("public_url", "host"),
    [
        ("http://127.0.0.1:8000", "localhost"),
        ("http://localhost:8000", "localhost"),
        ("https://login.example.com", "login.example.com"),
    ],
)
def test_a_passkey_belongs_to_the_sites_name(new_app: NewApp, alice: str, public_url: str, host: str) -> None:
    browser = Browser(new_app(PUBLIC_URL=public_url))
    browser.sign_in(alice)
    options = options_at(browser, f"{LIST}/options")
    assert options["rp"]["id"] == host
    assert decoded(options["user"]["id"]) != alice.encode()
    named = Authenticator(public_url.replace("127.0.0.1", "localhost"))
    assert add(browser, named).status_code == 303


@on_sqlite
def test_apps_of_the_site_use_its_passkeys_where_they_are_listed(new_app: NewApp, alice: str) -> None:
    origin = "android:apk-key-hash:7d1043473d55bfa90e8530d35801d4e381bc69f0"
    site = new_app(PASSKEY_ORIGINS=origin)
    browser, key = Browser(site), Authenticator()
    browser.sign_in(alice)
    add(browser, key)
    key.origin = origin
    visit = at_api_sign_in(site, alice, key)
    assert visit.send(key.sign(visit.options))
    unlisted = at_api_sign_in(new_app(), alice, key)
    assert not unlisted.send(key.sign(unlisted.options))


@on_sqlite
def test_a_refused_person_is_back_where_every_way_in_is(app: Flask, alice: str) -> None:
    browser = Browser(app)
    answer = send(browser, {"response": {}}, next="/account/email")
    assert answer.headers["Location"] == "/login?next=/account/email"
    page = browser.get(answer.headers["Location"])
    assert 'role="alert"' in page.text
    assert browser.submit("/login?next=/account/email", email=alice, password=PASSWORD).headers["Location"] == (
        "/account/email"
    )
