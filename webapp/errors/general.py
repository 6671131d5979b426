"""Refusals of signing in, of accounts and their mailed links, and of what any request may meet."""

from datetime import timedelta

from webapp.errors.base import DomainError


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
