"""Methods of the whole site: each route takes what it says, and nothing else."""

import pytest

from tests.rows import on_sqlite
from tests.whole_site import House

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "TRACK", "CONNECT", "PROPFIND", "BREW"]


@on_sqlite
@pytest.mark.asvs("4.1.4", "13.4.4", "3.5.3")
def test_a_method_that_a_route_does_not_take_is_refused_and_does_nothing(house: House) -> None:
    before = house.everything_stored()
    for rule in house.rules():
        takes, path = house.methods_at(rule), house.paths[rule.endpoint]
        for method in sorted(set(METHODS) - takes):
            for browser in (house.visitor, house.alice):
                answer = browser.open(method, path, headers={"X-Secret": "echo-me"}, data={"csrf_token": "x"})
                assert answer.status_code == 405, (method, rule.rule)
                assert set(answer.allow) == takes, (method, rule.rule)
                assert "echo-me" not in answer.text
                assert "<h1" in answer.text
    assert house.everything_stored() == before


def stored(house: House) -> dict[str, list[str]]:
    """Everything but the counters: whoever comes back from a provider without having been sent is counted."""
    return {table: rows for table, rows in house.everything_stored().items() if table != "rate_limits"}


@on_sqlite
@pytest.mark.asvs("3.5.3", "4.1.4")
def test_reading_changes_nothing_whatever_it_says_of_itself(house: House) -> None:
    before = stored(house)
    for rule, opened in house.opened():
        browser, path = house.person_for(rule.endpoint), house.paths[rule.endpoint]
        head = browser.open("HEAD", path, buffered=True)
        assert (head.status_code, head.data, head.content_type) == (opened.status_code, b"", opened.content_type)
        assert set(browser.open("OPTIONS", path).allow) == house.methods_at(rule)
        for override in ("X-HTTP-Method-Override", "X-Method-Override"):
            assert browser.get(path, headers={override: "POST"}, buffered=True).status_code == opened.status_code
        assert browser.get(path.partition("?")[0] + "?_method=POST", buffered=True).status_code == opened.status_code
    assert stored(house) == before
    assert not {method for rule in house.rules() for method in rule.methods or ()} & {"PUT", "PATCH", "DELETE"}
