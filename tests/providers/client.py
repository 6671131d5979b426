"""A plain client, to try the providers with: it believes what it is told, except where a test looks."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import KeySet

from stand_in.clients import Client

PATIENCE = 60  # seconds


@dataclass
class PlainClient:
    """One registered client, with what it remembers of one sign-in."""

    issuer: str
    client: Client
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def authorization_url(self, **changes: str | None) -> str:
        """Where the browser is sent; None leaves a parameter out."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query: dict[str, str | None] = {
            "client_id": self.client.client_id,
            "redirect_uri": self.client.redirect_uris[0],
            "response_type": "code",
            "scope": "openid email profile",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            **changes,
        }
        return f"{self.issuer}/authorize?" + urlencode({k: v for k, v in query.items() if v is not None})

    def exchange(self, callback: str, **changes: str | None) -> requests.Response:
        """Bring the code of a callback to the token endpoint."""
        form = {
            "grant_type": "authorization_code",
            "code": answer_in(callback)["code"],
            "redirect_uri": self.client.redirect_uris[0],
            "code_verifier": self.verifier,
            **changes,
        }
        return self.post("/token", **form)

    def post(self, path: str, **form: str | None) -> requests.Response:
        """Ask as the client that we are."""
        sent = {name: value for name, value in form.items() if value is not None}
        who = (self.client.client_id, self.client.secret)
        return requests.post(self.issuer + path, sent, auth=who, timeout=PATIENCE, allow_redirects=False)

    def claims(self, id_token: str) -> dict[str, Any]:
        """What an ID token says, if the provider's keys signed it."""
        return verified(id_token, requests.get(f"{self.issuer}/keys", timeout=PATIENCE).json())


def verified(token: str, keys: Any) -> dict[str, Any]:
    """The claims of a token that one of these keys signed. Raises JoseError or ValueError."""
    return dict(jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256", "ES256"]).claims)


def answer_in(callback: str) -> dict[str, str]:
    """The query of a callback."""
    return dict(parse_qsl(urlsplit(callback).query, keep_blank_values=True))
