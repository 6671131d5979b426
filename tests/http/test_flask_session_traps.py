"""The traps of Flask-Session, each shown on its own back ends and closed by ours.

The stock ones must fall in: when an upgrade of Flask-Session mends a trap, its test fails, and the table below and
perhaps some of our code can go.
"""

import pickle
import secrets
from pathlib import Path

import pytest
from sqlalchemy.exc import InvalidRequestError

from tests.http.session_sites import Site, has_table, in_another_thread, our_site, signed_in_browser, stock_site

EVERYWHERE = {"sqlite", "postgres", "redis"}
ON_SQL = {"sqlite", "postgres"}  # Redis has no part in the application's transaction, and no table

STOCK_FALLS = {
    "commits what a view left unfinished": ON_SQL,
    "brings back what a sign-out deleted": EVERYWHERE,
    "unpickles": EVERYWHERE,
    "stores live ids": EVERYWHERE,
    "writes on every read": EVERYWHERE,
    "creates its table at start": ON_SQL,
    "cannot serve a second application": ON_SQL,
    "keeps a row for every visitor of a form": EVERYWHERE,
    "keeps the id through clear and regenerate": EVERYWHERE,
    "takes back a Secure cookie without Secure": EVERYWHERE,
}


def falls(site: Site, trap: str) -> bool:
    return site.flavour == "stock" and site.backend in STOCK_FALLS[trap]


@pytest.mark.parametrize("form", [{}, {"fail": "1"}], ids=["view returns", "view raises"])
def test_what_a_view_left_unfinished_is_not_committed_by_the_session(either_site: Site, form: dict[str, str]) -> None:
    either_site.browser().post("/half-work", data=form)
    assert (either_site.notes() == ["half-done"]) == falls(either_site, "commits what a view left unfinished")


@pytest.mark.asvs("7.4.1")
def test_a_request_under_way_during_a_sign_out_revives_nothing(either_site: Site) -> None:
    browser = signed_in_browser(either_site)
    copied = either_site.id_in(browser)
    either_site.during_slow = lambda: in_another_thread(lambda: either_site.browser(copied).post("/sign-out"))
    browser.post("/keep", data={"seen": "yes"})
    revived = either_site.browser(copied).get("/whoami").text == "alice"
    assert revived == falls(either_site, "brings back what a sign-out deleted")
    assert bool(either_site.storage.keys()) == revived


code_that_ran: list[str] = []


def run_code_of_the_attacker(words: str) -> str:
    code_that_ran.append(words)
    return words


class Exploit:
    def __reduce__(self) -> object:
        return run_code_of_the_attacker, ("anything",)


@pytest.mark.asvs("1.5.2")
def test_nothing_in_the_store_is_ever_unpickled(either_site: Site) -> None:
    sid = secrets.token_urlsafe(32)
    code_that_ran.clear()
    either_site.plant(sid, pickle.dumps({"user": "alice", "exploit": Exploit()}))
    answer = either_site.browser(sid).get("/whoami")
    assert bool(code_that_ran) == falls(either_site, "unpickles")
    assert (answer.text == "alice") == falls(either_site, "unpickles")


@pytest.mark.asvs("7.2.2")
def test_a_leaked_store_holds_no_live_id(either_site: Site) -> None:
    sid = either_site.id_in(signed_in_browser(either_site))
    assert sid
    leaked = [*either_site.storage.keys(), *map(repr, either_site.storage.values())]
    assert leaked
    assert any(sid in text for text in leaked) == falls(either_site, "stores live ids")


def test_an_ordinary_read_writes_nothing(either_site: Site) -> None:
    browser = signed_in_browser(either_site)
    either_site.storage.calls()
    answer = browser.get("/whoami")
    calls = either_site.storage.calls()
    writes = [call for call in calls if call not in ("get", "select")]
    assert answer.text == "alice"
    assert bool(writes) == falls(either_site, "writes on every read")
    assert ("Set-Cookie" in answer.headers) == falls(either_site, "writes on every read")
    if either_site.flavour == "ours":
        assert len(calls) == 1


def test_no_table_is_created_at_start(either_site: Site) -> None:
    # Ours is made by the fixture, as a migration would; the stock one appeared when the extension was bound.
    assert has_table(either_site, "sessions") == falls(either_site, "creates its table at start")


@pytest.mark.filterwarnings("ignore:This declarative base already contains a class:sqlalchemy.exc.SAWarning")
def test_a_second_application_in_one_process_works(either_site: Site, tmp_path: Path, redis_url: str) -> None:
    second_url = f"sqlite:///{tmp_path / 'second.db'}"
    if falls(either_site, "cannot serve a second application"):
        with pytest.raises(InvalidRequestError, match="already defined"):
            stock_site(either_site.backend, second_url, redis_url, database=either_site.database).__enter__()
        return
    browser = signed_in_browser(either_site)
    make = our_site if either_site.flavour == "ours" else stock_site
    with make("sqlite" if either_site.flavour == "ours" else "redis", second_url, redis_url) as second:
        signed_in_browser(second)
        assert browser.get("/whoami").text == "alice"
        if either_site.flavour == "ours":
            assert second.browser(either_site.id_in(browser)).get("/whoami").text == "nobody"


def test_a_visitor_of_a_form_leaves_no_row(either_site: Site) -> None:
    browser = either_site.browser()
    browser.get("/plain")
    assert either_site.storage.keys() == []
    assert browser.get("/form").text == browser.get("/form").text
    assert bool(either_site.storage.keys()) == falls(either_site, "keeps a row for every visitor of a form")


@pytest.mark.asvs("7.2.4")
def test_emptying_the_bag_first_does_not_keep_the_old_id(either_site: Site) -> None:
    browser = signed_in_browser(either_site)
    old = either_site.id_in(browser)
    browser.post("/clear-and-renew")
    assert browser.get("/whoami").text == "bob"
    kept = either_site.id_in(browser) == old
    assert kept == falls(either_site, "keeps the id through clear and regenerate")
    assert (either_site.browser(old).get("/whoami").text == "bob") == kept


@pytest.mark.parametrize("flavour", ["stock", "ours"])
def test_a_host_cookie_is_taken_back_with_secure(flavour: str, backend: str, database_url: str, redis_url: str) -> None:
    make = our_site if flavour == "ours" else stock_site
    with make(backend, database_url, redis_url, https=True) as site:
        taken_back = signed_in_browser(site).post("/sign-out").headers["Set-Cookie"]
        assert taken_back.startswith("__Host-session=;")
        assert ("Secure" not in taken_back) == falls(site, "takes back a Secure cookie without Secure")
