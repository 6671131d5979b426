"""The secret key of a running site is replaced as docs/operations.md says, and nobody notices."""

import re

from tests.servers.devices import ApiSite, Device
from tests.servers.fixtures import NewSite
from tests.servers.site import LiveSite
from tests.servers.test_gunicorn import Visitor, new_person

OLD, NEW = "the-key-of-yesterday-is-long-enough", "the-key-of-tomorrow-is-long-enough-too"
EMAIL = "rotating@example.com"


def start_anew(site: LiveSite, **settings: str) -> None:
    site.stop()
    site.environment |= settings
    site.start()


def test_a_new_secret_key_signs_nobody_out_and_the_old_one_can_go_after_a_refresh(new_site: NewSite) -> None:
    site = new_site(SECRET_KEY=OLD, RATELIMIT_ENABLED="0")
    person, api = new_person(site, EMAIL), ApiSite(site)
    phone, left_alone = Device(api, EMAIL), Device(api, EMAIL)
    keys = Visitor(site).open("/.well-known/jwks.json")[1]

    start_anew(site, SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLD)
    assert person.is_signed_in
    assert phone.call("GET", "/me").status == 200
    phone.refresh()
    assert Visitor(site).open("/.well-known/jwks.json")[1] == keys, "keys that were sealed under the old one sign on"
    assert Visitor(site).sign_in(EMAIL) == 303

    site.flask("secrets", "reseal")
    start_anew(site, SECRET_KEY_FALLBACKS="")
    assert Visitor(site).open("/.well-known/jwks.json")[1] == keys, "and they need it no more"
    assert person.is_signed_in, "what lies in the store needs no key"
    assert phone.exchange().status == 200, "refreshed since, so by the new key"
    assert left_alone.exchange().status == 401
    assert not re.search(r"status=5\d\d", site.log_text)
