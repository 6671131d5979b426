"""What people have allowed: codes, access tokens and refresh tokens. All of it is in memory, gone with the process."""

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from threading import Lock

from stand_in.authorization import AuthorizationRequest
from stand_in.people import Person

CODE_LIFE = 60  # seconds
ACCESS_LIFE = 3600  # seconds


class GrantRefused(Exception):
    """The code or the token is not good, or not for this client (RFC 6749, section 5.2: invalid_grant)."""


@dataclass(eq=False)
class Grant:
    """One person's consent to one request. Whatever comes from it ends with it."""

    request: AuthorizationRequest
    person: Person
    auth_time: int
    revoked: bool = False


@dataclass
class _Code:
    grant: Grant
    expires_at: int
    spent: bool = False


@dataclass
class Grants:
    """The codes and tokens of one provider."""

    _codes: dict[str, _Code] = field(default_factory=dict)
    _access: dict[str, tuple[Grant, int]] = field(default_factory=dict)
    _refresh: dict[str, tuple[Grant, bool]] = field(default_factory=dict)  # and whether it was used
    _lock: Lock = field(default_factory=Lock)

    def new_code(self, request: AuthorizationRequest, person: Person, auth_time: int) -> str:
        """A code for what this person allows."""
        code = secrets.token_urlsafe(32)
        with self._lock:
            self._codes[code] = _Code(Grant(request, person, auth_time), int(time.time()) + CODE_LIFE)
        return code

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, verifier: str) -> Grant:
        """The grant behind a code, once. Raises GrantRefused.

        A code that comes a second time was stolen from one of the two: what it gave ends (RFC 6749, section 4.1.2).
        """
        with self._lock:
            found = self._codes.get(code)
            if found is None or found.grant.request.client.client_id != client_id:
                raise GrantRefused("the code is unknown")
            if found.spent:
                found.grant.revoked = True
                raise GrantRefused("the code was used before")
            found.spent = True
        if found.expires_at <= time.time():
            raise GrantRefused("the code has expired")
        if redirect_uri != found.grant.request.redirect_uri:
            raise GrantRefused("the redirect_uri is not the one of the request")
        if not hmac.compare_digest(_challenge(verifier), found.grant.request.challenge):
            raise GrantRefused("the code_verifier does not fit")
        return found.grant

    def rotate(self, token: str, *, client_id: str) -> Grant:
        """The grant behind a refresh token, which is then used up. Raises GrantRefused.

        One that was used already ends the grant: somebody else has it too (RFC 9700, section 4.14.2).
        """
        with self._lock:
            grant, used = self._refresh.get(token, (None, False))
            if grant is None or grant.request.client.client_id != client_id or grant.revoked:
                raise GrantRefused("the refresh token is unknown or revoked")
            if used:
                grant.revoked = True
                raise GrantRefused("the refresh token was used before")
            self._refresh[token] = (grant, True)
        return grant

    def new_access_token(self, grant: Grant) -> str:
        """A token for UserInfo."""
        token = f"access.{secrets.token_urlsafe(32)}"
        with self._lock:
            self._access[token] = (grant, int(time.time()) + ACCESS_LIFE)
        return token

    def new_refresh_token(self, grant: Grant) -> str:
        """A token for the next access token."""
        token = f"refresh.{secrets.token_urlsafe(32)}"
        with self._lock:
            self._refresh[token] = (grant, False)
        return token

    def behind_access_token(self, token: str) -> Grant | None:
        """The grant, while the token and it are good."""
        grant, expires_at = self._access.get(token, (None, 0))
        return grant if grant and not grant.revoked and expires_at > time.time() else None

    def revoke(self, token: str, *, client_id: str | None) -> None:
        """End the grant behind a token of either kind, if it is of this client. An unknown token is no error."""
        with self._lock:
            grant = (self._access.get(token) or self._refresh.get(token) or (None,))[0]
            if grant is not None and client_id in (None, grant.request.client.client_id):
                grant.revoked = True


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
