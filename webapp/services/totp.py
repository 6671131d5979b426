"""Authenticator apps (RFC 6238): set up, confirmed by a code, each step accepted once."""

from dataclasses import dataclass, field

import pyotp

from webapp import clock
from webapp.errors import FactorRefused, NotFound
from webapp.models import TotpFactor
from webapp.services.client import Client
from webapp.services.factors import added_factor, removed_factor
from webapp.services.guessing import count_factor_guess, forget_factor_guesses
from webapp.services.login_sessions import SignedIn, lock_live, require_fresh
from webapp.services.runtime import runtime
from webapp.services.totp_codes import accept_code, open_secret, seal_secret
from webapp.services.transaction import transaction

SECRET_LENGTH = 32  # characters of base32: 160 bits (RFC 4226, section 4)


@dataclass(frozen=True)
class TotpSetup:
    """What an authenticator app needs: the secret, as text and as an address for a QR code."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


def begin_totp(signed_in: SignedIn) -> TotpSetup:
    """The secret that waits to be confirmed, made where there is none. It waits in this login session only: whoever
    opened this page in another one, and perhaps kept what they saw, must not have it confirmed by the owner later.

    Raises ReauthenticationRequired, or NotFound where an app is confirmed.
    """
    require_fresh(signed_in)
    with transaction() as tx:
        user, _ = lock_live(tx, signed_in)
        factor = tx.get(TotpFactor, user.id)
        if factor is not None and factor.confirmed_at is not None:
            raise NotFound
        secret = None if factor is None else open_secret(factor, waiting_in=signed_in.login_session_id)
        if secret is None:
            secret = pyotp.random_base32(SECRET_LENGTH)
            if factor is None:
                factor = TotpFactor(user_id=user.id)
                tx.add(factor)
            factor.created_at = clock.now()
            factor.sealed = seal_secret(secret, user.id, waiting_in=signed_in.login_session_id)
    site = runtime().settings.SITE_NAME
    uri = pyotp.TOTP(secret).provisioning_uri(name=signed_in.email, issuer_name=site)
    return TotpSetup(secret, uri)


def confirm_totp(signed_in: SignedIn, code: str, client: Client) -> None:
    """Have the app that waits count from now on. Raises FactorRefused, NotFound, ReauthenticationRequired or
    TooManyAttempts.
    """
    require_fresh(signed_in)
    count_factor_guess(signed_in.user_id, client)
    with transaction() as tx:
        user, login_session = lock_live(tx, signed_in)
        factor = tx.get(TotpFactor, user.id, with_for_update=True)
        if factor is None or factor.confirmed_at is not None:
            raise NotFound
        secret = open_secret(factor, waiting_in=signed_in.login_session_id)
        if secret is None or not accept_code(factor, secret, code):
            raise FactorRefused
        factor.sealed, factor.confirmed_at = seal_secret(secret, user.id), clock.now()
        added_factor(tx, user, login_session, ("otp",), "totp", client)
    forget_factor_guesses(signed_in.user_id, client)


def remove_totp(signed_in: SignedIn, client: Client) -> None:
    """Take the app away. Raises NotFound, ReauthenticationRequired or LastFactorRequired."""
    require_fresh(signed_in)
    with transaction() as tx:
        user, login_session = lock_live(tx, signed_in)
        factor = tx.get(TotpFactor, user.id, with_for_update=True)
        if factor is None or factor.confirmed_at is None:
            raise NotFound
        tx.delete(factor)
        removed_factor(tx, user, login_session, "totp", client)
