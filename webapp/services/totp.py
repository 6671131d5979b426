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
from webapp.services.totp_codes import PURPOSE, accept_code, open_secret
from webapp.services.transaction import transaction

SECRET_LENGTH = 32  # characters of base32: 160 bits (RFC 4226, section 4)


@dataclass(frozen=True)
class TotpSetup:
    """What an authenticator app needs: the secret, as text and as an address for a QR code."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


def begin_totp(signed_in: SignedIn) -> TotpSetup:
    """The secret that waits to be confirmed, made where there is none. An app that is confirmed goes on until a new one
    is. Raises ReauthenticationRequired, or NotFound where there is one.
    """
    require_fresh(signed_in)
    with transaction() as tx:
        user, _ = lock_live(tx, signed_in)
        factor = tx.get(TotpFactor, user.id)
        if factor is not None and factor.confirmed_at is not None:
            raise NotFound
        secret = None if factor is None else open_secret(factor)
        if secret is None:
            secret = pyotp.random_base32(SECRET_LENGTH)
            sealed = runtime().sealer.seal(secret.encode(), purpose=PURPOSE, bound_to=str(user.id))
            if factor is None:
                factor = TotpFactor(user_id=user.id, created_at=clock.now())
                tx.add(factor)
            factor.sealed = sealed
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
        if not accept_code(factor, code):
            raise FactorRefused
        factor.confirmed_at = clock.now()
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
