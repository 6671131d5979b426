"""The provider: what it says of itself, and what it answers. How that is asked over HTTP is in the files beside."""

import base64
import hashlib
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Flask
from joserfc.jwk import RSAKey

from stand_in.authorization import AuthorizationRequest, Refused
from stand_in.browsers import Browsers, SignedIn
from stand_in.clients import Client
from stand_in.endpoints import make_app
from stand_in.grants import ACCESS_LIFE, Grant, Grants
from stand_in.keys import ALGORITHM, KeyRing
from stand_in.people import PEOPLE, Person

ID_TOKEN_LIFE = 3600  # seconds
CLAIMS = (
    *("iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "at_hash"),
    *("email", "email_verified", "hd", "name", "picture", "locale"),
)


class Provider:
    """One OpenID provider. It keeps everything to itself, so that several can live in one process."""

    def __init__(
        self, issuer: str, clients: Iterable[Client], *, people: Iterable[Person] = PEOPLE, key: RSAKey | None = None
    ) -> None:
        self.issuer = issuer.rstrip("/")
        self.clients = {client.client_id: client for client in clients}
        self.people = {person.sub: person for person in people}
        self.keys = KeyRing(key)
        self.grants = Grants()
        self.browsers = Browsers()
        # Cookies know no ports: two providers on one host need two names.
        self.cookie_name = f"stand_in_{urlsplit(self.issuer).port or 80}"
        self.app: Flask = make_app(self)

    def metadata(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0, section 3."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "email", "profile", "offline_access"],
            "claims_supported": list(CLAIMS),
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "authorization_response_iss_parameter_supported": True,
            "request_uri_parameter_supported": False,
        }

    def key_set(self) -> dict[str, Any]:
        """What /keys publishes."""
        return self.keys.key_set()

    def allow(self, request: AuthorizationRequest, signed_in: SignedIn) -> str:
        """Where the browser goes when this person has agreed."""
        code = self.grants.new_code(request, signed_in.person, signed_in.at)
        return self.callback_url(request.redirect_uri, {"code": code, "state": request.state})

    def refuse(self, refused: Refused) -> str:
        """Where the browser goes with an error."""
        told = {"error": refused.error, "error_description": refused.description}
        return self.callback_url(refused.redirect_uri, told | ({"state": refused.state} if refused.state else {}))

    def callback_url(self, redirect_uri: str, answer: dict[str, str]) -> str:
        """A redirect URI with an answer. It names us, so that no client mixes us up with another (RFC 9207)."""
        query = urlencode(answer | {"iss": self.issuer})
        return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}"

    def token_answer(self, grant: Grant, *, nonce: str | None) -> dict[str, Any]:
        """What the token endpoint gives (OpenID Connect Core 1.0, sections 3.1.3.3 and 12.2)."""
        access_token = self.grants.new_access_token(grant)
        answer = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": ACCESS_LIFE,
            "scope": " ".join(grant.request.scopes),
            "id_token": self.sign_id_token(self.id_token_claims(grant, access_token, nonce)),
        }
        return answer | ({"refresh_token": self.grants.new_refresh_token(grant)} if grant.request.offline else {})

    def id_token_claims(self, grant: Grant, access_token: str, nonce: str | None) -> dict[str, Any]:
        """What an ID token says."""
        return {
            **self._about(grant.person, grant.request.scopes),
            **self.token_claims(grant.request.client.client_id),
            "auth_time": grant.auth_time,
            "at_hash": _half_hash(access_token),
            **({"nonce": nonce} if nonce else {}),
        }

    def token_claims(self, audience: str) -> dict[str, Any]:
        """Who says it, to whom, and how long it holds."""
        now = int(time.time())
        return {"iss": self.issuer, "aud": audience, "azp": audience, "iat": now, "exp": now + ID_TOKEN_LIFE}

    def sign_id_token(self, claims: dict[str, Any]) -> str:
        """The ID token with these claims."""
        return self.keys.sign(claims)

    def userinfo(self, grant: Grant) -> dict[str, Any]:
        """OpenID Connect Core 1.0, section 5.3.2."""
        return self._about(grant.person, grant.request.scopes)

    def picture(self, person: Person) -> str:
        """Where a picture of this person is."""
        return f"{self.issuer}/people/{person.sub}.svg"

    def _about(self, person: Person, scopes: tuple[str, ...]) -> dict[str, Any]:
        return person.claims(scopes) | ({"picture": self.picture(person)} if "profile" in scopes else {})


def _half_hash(token: str) -> str:
    """The left half of its SHA-256 (OpenID Connect Core 1.0, section 3.1.3.6)."""
    half = hashlib.sha256(token.encode()).digest()[:16]
    return base64.urlsafe_b64encode(half).decode().rstrip("=")
