"""Refusals on the way to an OpenID provider and back, and of what it sends."""

from webapp.errors.base import DomainError


class ProviderUnavailable(DomainError):
    """An OpenID provider does not answer, or with what is no answer; `reason` in the details is for the log."""

    code = "provider_unavailable"


class ProviderAnswerRefused(DomainError):
    """What an OpenID provider answered proves nothing to us; `reason` in the details is for the log."""

    code = "provider_answer_refused"


class AuthorizationExpired(DomainError):
    """Nobody was sent to a provider with this state: or long ago, from another browser, or back from there before."""

    code = "authorization_expired"


class AuthorizationDenied(DomainError):
    """The person changed their mind at the provider, or it would not go on."""

    code = "authorization_denied"


class ProviderEmailUnverified(DomainError):
    """The provider vouches for no address, and nobody is known by this identity."""

    code = "provider_email_unverified"


class ProviderProofTooOld(DomainError):
    """The provider does not say that the person has just proven again who they are (ASVS 6.8.4)."""

    code = "provider_proof_too_old"


class AccountExists(DomainError):
    """An account has this address, and its owner has to sign in to it the old way before the identity opens it;
    `handle` in the details is the secret that goes on.
    """

    code = "account_exists"


class IdentityTied(DomainError):
    """The account belongs to another identity of the same provider."""

    code = "identity_tied"


class IdentityElsewhere(DomainError):
    """The identity is not the one that is connected to this account, and may open another."""

    code = "identity_elsewhere"


class IdentityBlocked(DomainError):
    """The provider told us that this identity is in the wrong hands."""

    code = "identity_blocked"


class LastWayIn(DomainError):
    """Without this identity nobody could sign in to the account any more."""

    code = "last_way_in"


class RedirectRefused(DomainError):
    """Not an address that the site sends apps back to."""

    code = "redirect_refused"


class AppCodeInvalid(DomainError):
    """A code of ours that an app cannot exchange: unknown, used, late, or not for this app (RFC 6749, section 5.2)."""

    code = "code_invalid"


class EventRefused(DomainError):
    """Not a security event token for us; `err` in the details says why in the words of RFC 8935, section 2.4."""

    code = "event_refused"
