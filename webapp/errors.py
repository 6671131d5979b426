"""Every refusal the site can give, each with its stable public code. No HTTP here.

Services and policy raise these; each blueprint maps them once (pages to a form message or a page, the
API to RFC 9457). A code, once published, keeps its meaning.
"""

from collections.abc import Mapping
from datetime import timedelta


class DomainError(Exception):
    """A refusal with a stable public `code`; `details` holds plain values that a message may name, never a secret."""

    code = "refused"

    def __init__(self, **details: object) -> None:
        super().__init__(self.code)
        self.details: Mapping[str, object] = details


class InvalidCredentials(DomainError):
    """Unknown address or wrong password: deliberately one answer (ASVS 6.3.8)."""

    code = "invalid_credentials"


class EmailUnverified(DomainError):
    """The proof was right, but nobody has shown yet that the address is theirs."""

    code = "email_unverified"


class AccountDisabled(DomainError):
    """An operator closed this account."""

    code = "account_disabled"


class PasswordBlocked(DomainError):
    """The owner said "this was not me": this password opens nothing until a new one is set by mailed link."""

    code = "password_blocked"


class PasswordRefused(DomainError):
    """A new password breaks a rule; `rule` in the details names it (policy.passwords.PasswordRule)."""

    code = "password_refused"

    def __init__(self, rule: str, **details: object) -> None:
        super().__init__(rule=rule, **details)
        self.rule = rule


class EmailInvalid(DomainError):
    """Not an address that mail can be sent to."""

    code = "email_invalid"


class EmailUnchanged(DomainError):
    """The address asked for is the account's already."""

    code = "email_unchanged"


class EmailTaken(DomainError):
    """An account has this address. Told to operators only."""

    code = "email_taken"


class LinkInvalid(DomainError):
    """A mailed link that opens nothing: unknown, or meant for something else."""

    code = "link_invalid"


class LinkExpired(LinkInvalid):
    """A mailed link that came too late."""

    code = "link_expired"


class LinkUsed(LinkInvalid):
    """A mailed link that has already done its work."""

    code = "link_used"


class LinkReplaced(LinkInvalid):
    """A mailed link that a newer one, or a later change to the account, took the place of."""

    code = "link_replaced"


class NotSignedIn(DomainError):
    """No live login session."""

    code = "not_signed_in"


class ReauthenticationRequired(DomainError):
    """The sign-in is too old for what was asked (ASVS 7.5.1)."""

    code = "reauthentication_required"


class SignInStepExpired(DomainError):
    """The sign-in that was under way is over; it starts again at its first step."""

    code = "sign_in_expired"


class NotFound(DomainError):
    """There is no such thing, or it is not this user's: deliberately one answer."""

    code = "not_found"


class TooManyAttempts(DomainError):
    """Guessing is slowed; `retry_after` says for how long."""

    code = "too_many_attempts"

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(seconds=int(retry_after.total_seconds()))
        self.retry_after = retry_after


class StoreUnavailable(DomainError):
    """A database or Redis does not answer. Nothing was changed; trying again later is safe."""

    code = "store_unavailable"


class Busy(DomainError):
    """More at once than this process takes on. Nothing was changed; trying again in a moment is safe."""

    code = "busy"


class AccountDeletionPending(DomainError):
    """The proof was right, and the account waits to be deleted; `step_token` in the details resumes the sign-in for an
    owner who keeps it.
    """

    code = "account_deletion_pending"


class AccessTokenMissing(DomainError):
    """No access token came along."""

    code = "token_missing"


class TokenInvalid(DomainError):
    """Not a token of ours, not of this kind, or changed since: deliberately one answer (RFC 6750, section 3.1)."""

    code = "token_invalid"


class TokenExpired(DomainError):
    """A token of ours whose time is over."""

    code = "token_expired"


class SessionRevoked(DomainError):
    """The login session behind a token was ended; `reason` in the details says why, where that is known."""

    code = "session_revoked"


class RefreshReused(DomainError):
    """A refresh token that was spent before came back, so its login session was ended (RFC 9700, section 4.14.2)."""

    code = "refresh_reused"


class MalformedBody(DomainError):
    """A body that is not the JSON it should be; `why` in the details names what is wrong."""

    code = "malformed_body"


class UnsupportedBody(DomainError):
    """A body that is not application/json in UTF-8."""

    code = "unsupported_media_type"


class ValidationFailed(DomainError):
    """Values that do not fit; `errors` are pairs of a JSON pointer (RFC 6901) and what is wrong there."""

    code = "validation_failed"

    def __init__(self, errors: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self.errors = errors


class OriginRefused(DomainError):
    """Another site sent a request that a cookie vouches for."""

    code = "origin_refused"


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
    """The account with this address belongs to another identity of the same provider."""

    code = "identity_tied"


class IdentityElsewhere(DomainError):
    """The identity opens another account."""

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
