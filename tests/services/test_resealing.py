"""A secret key that was replaced can go: what it sealed for long is sealed anew."""

from collections.abc import Callable

import pytest
from flask import Flask

from stand_in.people import GMAIL
from tests.conftest import SECRET_KEY, NewApp
from tests.factors import Phone
from tests.providers.lying import LyingProvider
from tests.rows import Rows
from tests.services.granted import come_in, settings_with_scopes
from tests.services.signed_in import CLIENT, signed_in
from webapp.models import ProviderGrant, SigningKey, TotpFactor
from webapp.services import resealing, signing_keys, totp, totp_codes
from webapp.services.provider_grants import fresh_provider_token

OTHER = "another secret key, as long as it has to be"
Site = Callable[..., Flask]


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider) -> Site:
    """The site with these secret keys, on the same database each time."""
    return lambda **keys: new_app(**settings_with_scopes(provider), **keys)


def test_after_resealing_the_old_key_can_go(site: Site, provider: LyingProvider, alice: str) -> None:
    before = site()
    rows = Rows(before)
    come_in(before, provider)
    with before.app_context():
        me = signed_in(rows)
        phone = Phone(totp.begin_totp(me).secret, rows)
        totp.confirm_totp(me, phone.code(), CLIENT)
        signing_keys.published_keys()  # whoever first needs one makes it
    keys = [key.kid for key in rows.all(SigningKey)]
    assert len(keys) == 1

    meanwhile = site(SECRET_KEY=OTHER, SECRET_KEY_FALLBACKS=(SECRET_KEY,))
    with meanwhile.app_context():
        assert resealing.count_under_fallbacks() == 3
        assert resealing.reseal() == (3, 0)
        assert resealing.reseal() == (0, 0)
        assert resealing.count_under_fallbacks() == 0

    after = site(SECRET_KEY=OTHER)
    with after.app_context():
        assert totp_codes.open_secret(Rows(after).all(TotpFactor)[0]) is not None
        assert fresh_provider_token(Rows(after).user(GMAIL.email).id, "google")
        assert [key.kid for key in signing_keys.published_keys()] == keys


def test_what_no_key_opens_stays_as_it_is_and_is_told(site: Site, provider: LyingProvider) -> None:
    before = site()
    come_in(before, provider)
    after = site(SECRET_KEY=OTHER)
    sealed = Rows(after).all(ProviderGrant)[0].sealed
    with after.app_context():
        assert resealing.reseal() == (0, 1)
    assert Rows(after).all(ProviderGrant)[0].sealed == sealed
    assert "1 that no key here opens" in after.test_cli_runner().invoke(args=["secrets", "reseal"]).output


def test_what_was_sealed_anew_meanwhile_stands(site: Site, provider: LyingProvider) -> None:
    come_in(site(), provider)
    after = site(SECRET_KEY=OTHER, SECRET_KEY_FALLBACKS=(SECRET_KEY,))
    rows = Rows(after)
    with after.app_context():
        [found] = resealing._rows(resealing._KEPT[1])
        rows.set(ProviderGrant, {}, sealed=b"newer")
        assert resealing._resealed(resealing._KEPT[1], found)
    assert rows.all(ProviderGrant)[0].sealed == b"newer"


def test_many_rows_are_gone_through_in_slices(
    site: Site, provider: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    come_in(site(), provider)
    monkeypatch.setattr(resealing, "SLICE", 1)
    with site(SECRET_KEY=OTHER, SECRET_KEY_FALLBACKS=(SECRET_KEY,)).app_context():
        assert resealing.reseal() == (1, 0)


def test_the_doctor_tells_what_a_fallback_is_still_needed_for(site: Site, provider: LyingProvider) -> None:
    come_in(site(), provider)
    after = site(SECRET_KEY=OTHER, SECRET_KEY_FALLBACKS=(SECRET_KEY,))

    def told() -> str:
        lines = after.test_cli_runner().invoke(args=["doctor"]).stdout.splitlines()
        return next(line for line in lines if "fallbacks" in line)

    assert "still needed by 1" in told()
    assert after.test_cli_runner().invoke(args=["secrets", "reseal"]).output == "1 sealed anew\n"
    assert "needed by refresh tokens only" in told()
