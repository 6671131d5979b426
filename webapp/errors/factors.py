"""Refusals of second factors and passkeys."""

from webapp.errors.base import DomainError


class MfaRequired(DomainError):
    """The first factor was right, and the account has a second: `mfa_token` in the details resumes the sign-in,
    `methods` are those that the account has.
    """

    code = "mfa_required"


class FactorRefused(DomainError):
    """Not a second factor of this account, or used before: deliberately one answer."""

    code = "factor_refused"


class FactorSetupRequired(DomainError):
    """The site demands a second factor, and the account has none yet. It is set up on the site's pages."""

    code = "mfa_setup_required"


class PasskeyRefused(DomainError):
    """What came from a passkey proves nothing here: unknown, forged, replayed, for another site: one answer."""

    code = "passkey_refused"


class PasskeyKnown(DomainError):
    """This passkey is registered already."""

    code = "passkey_known"


class TooManyPasskeys(DomainError):
    """More than an account may have."""

    code = "too_many_passkeys"


class LastFactorRequired(DomainError):
    """The site demands a second factor, and this is the last one."""

    code = "last_factor"
