"""Every form of the whole site, sent by somebody else's page or with somebody else's token."""

import pytest

from tests.journeys.pages import csrf_token
from tests.people import Browser
from tests.rows import on_sqlite
from tests.whole_site import ALICE, TOKEN, House
from webapp.blueprints import api
from webapp.blueprints.federation import events
from webapp.extensions import csrf as csrf_extension


@on_sqlite
@pytest.mark.asvs("3.5.1")
def test_no_form_of_the_site_is_taken_without_a_token_of_this_browser_and_sign_in(house: House) -> None:
    strangers = {browser: csrf_token(browser.get("/account")) for browser in (house.alice, house.bob)}
    before = house.everything_stored()
    assert csrf_extension._exempt_views == {f"{events.__module__}.{events.__name__}"}  # a provider's, signed
    assert csrf_extension._exempt_blueprints == {api.bp}  # no cookie of a page vouches for a call of an app
    for form in house.forms.values():
        stranger = house.bob if form.browser is not house.bob else house.alice
        foreign = next(other for other in house.forms.values() if other.browser is not form.browser).fields[TOKEN].value
        for token in ("", "x", foreign, strangers[stranger], form.fields[TOKEN].value[::-1]):
            answer = form.send(**{TOKEN: token})
            assert (answer.status_code, ">400<" in answer.text) == (400, True), (form.endpoint, token)
        without = {name: value for name, value in form.honest().items() if name != TOKEN}
        assert form.browser.post(form.path, without).status_code == 400
        assert form.browser.post(f"{form.path}?{TOKEN}={form.fields[TOKEN].value}", without).status_code == 400
        assert form.send_from("https://evil.example").status_code == 403
    assert house.everything_stored() == before


@on_sqlite
@pytest.mark.asvs("3.5.1", "7.2.4")
def test_a_token_from_before_the_sign_in_is_stale_after_it(house: House) -> None:
    browser = Browser(house.app)
    stale = csrf_token(browser.get("/login"))
    browser.sign_in(ALICE)
    before = house.everything_stored()
    for form in house.forms.values():
        if form.browser is house.alice:
            assert browser.post(form.path, form.honest(**{TOKEN: stale})).status_code == 400, form.endpoint
    assert house.everything_stored() == before
    assert browser.is_signed_in
