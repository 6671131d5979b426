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
        takes, path = rule.methods or set(), house.paths[rule.endpoint]
        for method in sorted(set(METHODS) - takes):
            for browser in (house.visitor, house.alice):
                answer = browser.open(method, path, headers={"X-Secret": "echo-me"}, data={"csrf_token": "x"})
                assert answer.status_code == 405, (method, rule.rule)
                assert set(answer.allow) == takes, (method, rule.rule)
                assert "echo-me" not in answer.text
                assert "<h1" in answer.text
    assert house.everything_stored() == before


@on_sqlite
@pytest.mark.asvs("3.5.3", "4.1.4")
def test_reading_changes_nothing_and_head_is_get_without_a_body(house: House) -> None:
    before = house.everything_stored()
    for rule, opened in house.opened():
        head = house.person_for(rule.endpoint).open("HEAD", house.paths[rule.endpoint], buffered=True)
        assert head.status_code == opened.status_code, rule.rule
        assert head.data == b""
        assert head.content_type == opened.content_type
        options = house.person_for(rule.endpoint).open("OPTIONS", house.paths[rule.endpoint])
        assert set(options.allow) == rule.methods
    assert house.everything_stored() == before


@on_sqlite
@pytest.mark.asvs("3.5.3")
def test_what_changes_something_takes_post_and_no_method_is_read_from_elsewhere(house: House) -> None:
    for rule in house.rules():
        assert not (rule.methods or set()) & {"PUT", "PATCH", "DELETE"}
    before = house.everything_stored()
    for endpoint in house.forms:
        for override in ({"X-HTTP-Method-Override": "POST"}, {"X-Method-Override": "POST"}):
            assert house.person_for(endpoint).get(house.paths[endpoint], headers=override).status_code in (200, 405)
        assert house.person_for(endpoint).get(house.paths[endpoint] + "?_method=POST").status_code in (200, 405)
    assert house.everything_stored() == before
