"""Refusals that only apps meet: of tokens, and of bodies that are not what they should be."""

from webapp.errors.base import DomainError


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
