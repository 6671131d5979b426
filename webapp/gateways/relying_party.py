"""The site as a relying party of one OpenID provider: authorization code flow with PKCE, state and nonce.

Authlib speaks the protocol. Strictness is here and in the files beside this one, and does not depend on its defaults.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from authlib.integrations.requests_client import OAuth2Session, OAuthError
from requests import Response

from webapp import clock
from webapp.errors import ProviderAnswerRefused, ProviderUnavailable
from webapp.gateways.id_token import Expected, moment_of, verify_id_token
from webapp.gateways.provider_http import GrantRefused as GrantRefused
from webapp.gateways.provider_http import Outbound, get_json, one_deadline
from webapp.gateways.provider_keys import ProviderKeys
from webapp.gateways.provider_metadata import Metadata, ProviderMetadata
from webapp.provider_settings import GOOGLE, ProviderConfig

SCOPES: Final = ("openid", "email", "profile")
LONGEST_CODE: Final = 2048  # characters
LONGEST_TOKEN: Final = 8192  # characters of an access or refresh token of the provider's
LONGEST_TEXT: Final = 1024  # characters of what a provider says of somebody
LONGEST_LIFE: Final = timedelta(days=90)
_DEFAULT_LIFE: Final = timedelta(minutes=5)  # of an access token whose answer does not tell
_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, and halves of some
_ABOUT_THE_PERSON: Final = ("email", "email_verified", "name", "picture", "locale", "hd")


@dataclass(frozen=True)
class Handshake:
    """The secrets of one authorization request, fresh each time (ASVS 10.1.2)."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True)
class ProviderTokens:
    """Tokens of the provider's."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime
    scope: str


@dataclass(frozen=True)
class ProvenIdentity:
    """Whom the provider has proven, and what it says of them."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str
    picture_url: str | None
    locale: str
    hosted_domain: str | None
    auth_time: datetime | None  # when they last signed in at the provider, where it says so
    tokens: ProviderTokens | None = None


class RelyingParty:
    """The site at one provider. Opens no connection before it is first asked; safe for any number of threads."""

    def __init__(self, config: ProviderConfig, public_url: str) -> None:
        self.config = config
        # One for each provider, so that an answer cannot be passed off as another's (RFC 9700, section 4.4.2).
        self.redirect_uri = f"{public_url}/login/{config.name}/callback"
        self._outbound = Outbound(config.name)
        self._metadata = ProviderMetadata(self._outbound, config.metadata_url, config.issuer)
        self._keys = ProviderKeys(self._outbound, lambda: self._metadata.current().jwks_uri)

    def authorization_url(self, handshake: Handshake, **wishes: str) -> str:
        """Where to send somebody; `wishes` are parameters such as `prompt`. Raises ProviderUnavailable."""
        endpoint = self._metadata.current().authorization_endpoint
        scopes = (*SCOPES, *self.config.extra_scopes)
        if self.config.extra_scopes and self.config.name == GOOGLE:
            wishes = {"access_type": "offline", **wishes}
        client = OAuth2Session(
            self.config.client_id,
            scope=" ".join(scopes),
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
        )
        url, _ = client.create_authorization_url(
            endpoint, state=handshake.state, nonce=handshake.nonce, code_verifier=handshake.code_verifier, **wishes
        )
        return str(url)

    @property
    def form_origin(self) -> str:
        """The origin of the provider as far as it is known without asking: where our forms may lead."""
        return _origin(self.config.metadata_url)

    def leads_elsewhere(self, url: str) -> bool:
        """Whether an authorization URL is on another origin than `form_origin`."""
        return _origin(url) != self.form_origin

    @property
    def issuer(self) -> str:
        """Who the provider is, as its metadata spells it. Raises ProviderUnavailable."""
        return self._metadata.current().issuer

    def check_response_issuer(self, told: str | None) -> None:
        """Raises ProviderAnswerRefused where an authorization response is another issuer's, or says nothing though its
        provider always does (RFC 9207, section 2.4). Asks for the metadata only where there is something to compare.
        """
        known = self._metadata.peek()
        if told is None and known is None:
            known = self._metadata.current()
        if told is None and known is not None and not known.sends_issuer:
            return
        if told is None or told != (known or self._metadata.current()).issuer:
            raise ProviderAnswerRefused(reason="response_iss")

    @one_deadline()
    def exchange(self, code: str, handshake: Handshake) -> ProvenIdentity:
        """Whom a code stands for. Raises ProviderAnswerRefused or ProviderUnavailable."""
        if not 0 < len(code) <= LONGEST_CODE:
            raise ProviderAnswerRefused(reason="code")
        metadata = self._metadata.current()
        wanted = {"code": code, "code_verifier": handshake.code_verifier, "redirect_uri": self.redirect_uri}
        try:
            answer = self._outbound.call(
                lambda session: _token_answer(session, metadata, **wanted), **self._client(metadata)
            )
        except GrantRefused:
            raise ProviderAnswerRefused(reason="invalid_grant") from None
        tokens = _tokens_of(answer)
        expected = Expected(metadata.issuer, self.config.client_id, handshake.nonce, access_token=tokens.access_token)
        claims = verify_id_token(answer.get("id_token"), self._keys, expected)
        if "email" not in claims and metadata.userinfo_endpoint is not None:
            # Whether an address is verified is said by who says the address.
            claims = {**claims, "email_verified": None, **self._userinfo(metadata, tokens, claims["sub"])}
        return _identity(metadata.issuer, claims, tokens)

    @one_deadline()
    def identify(self, id_token: str, nonce: str) -> ProvenIdentity:
        """Whom an ID token stands for that an app got from the provider's own SDK, with a nonce of ours. As strict as
        the code flow. Raises ProviderAnswerRefused or ProviderUnavailable.
        """
        issuer = self._metadata.current().issuer
        expected = Expected(issuer, self.config.client_id, nonce, authorized_parties=self.config.native_client_ids)
        return _identity(issuer, verify_id_token(id_token, self._keys, expected), None)

    @one_deadline()
    def renew(self, refresh_token: str) -> ProviderTokens:
        """New tokens for a refresh token of the provider's. Raises GrantRefused where it is worth nothing any more, or
        ProviderUnavailable.
        """
        metadata = self._metadata.current()
        answer = self._outbound.call(
            lambda session: _token_answer(session, metadata, grant_type="refresh_token", refresh_token=refresh_token),
            **self._client(metadata),
        )
        tokens = _tokens_of(answer)
        return (
            tokens
            if tokens.refresh_token
            else ProviderTokens(tokens.access_token, refresh_token, tokens.expires_at, tokens.scope)
        )

    def revoke(self, token: str) -> None:
        """Take a token back at the provider (RFC 7009). Raises ProviderUnavailable."""
        metadata = self._metadata.current()
        endpoint = metadata.revocation_endpoint
        if endpoint is None:
            return
        client = self._client(metadata)
        auth = client["token_endpoint_auth_method"]
        self._outbound.call(
            lambda session: _check_revoked(
                session.post(endpoint, data={"token": token}, auth=session.client_auth(auth))
            ),
            **client,
        )

    def _userinfo(self, metadata: Metadata, tokens: ProviderTokens, subject: str) -> dict[str, Any]:
        """What the provider says of the person, where it is about the same one (section 5.3.2)."""
        endpoint = metadata.userinfo_endpoint or ""
        token = {"access_token": tokens.access_token, "token_type": "Bearer"}
        told, _ = self._outbound.call(lambda session: get_json(session, endpoint, with_token=True), token=token)
        if told.get("sub") != subject:
            raise ProviderAnswerRefused(reason="userinfo_sub")
        return {name: told[name] for name in _ABOUT_THE_PERSON if name in told}

    def _client(self, metadata: Metadata) -> dict[str, Any]:
        method = metadata.client_auth if self.config.client_secret else "none"
        return {
            "client_id": self.config.client_id,
            "client_secret": self.config.client_secret or None,
            "token_endpoint_auth_method": method,
        }


def _token_answer(
    session: OAuth2Session, metadata: Metadata, *, grant_type: str = "authorization_code", **parameters: str
) -> Mapping[str, Any]:
    """What the token endpoint answers. Raises GrantRefused, ProviderAnswerRefused or whatever the libraries raise."""
    session.register_compliance_hook("access_token_response", _only_answers)
    try:
        answer: Mapping[str, Any] = session.fetch_token(metadata.token_endpoint, grant_type=grant_type, **parameters)
    except OAuthError as error:
        if error.error == "invalid_grant":  # in all other cases our secret or our request is wrong
            raise GrantRefused from None
        raise ProviderAnswerRefused(reason="token_error") from None
    return answer


def _only_answers(response: Response) -> Response:
    """Of what comes with another status, only an OAuth error is an answer (RFC 6749, section 5.2)."""
    if response.status_code != 200 and not (response.status_code < 500 and "error" in response.json()):
        raise ProviderUnavailable(reason=f"status_{response.status_code}")
    return response


def _check_revoked(response: Response) -> None:
    """RFC 7009, section 2.2. Google calls it an error to take back what is over already."""
    is_over = response.status_code == 400 and response.json().get("error") == "invalid_token"
    if not is_over:
        response.raise_for_status()


def _tokens_of(answer: Mapping[str, Any]) -> ProviderTokens:
    access_token, refresh_token = answer.get("access_token"), answer.get("refresh_token")
    if not _is_token(access_token) or str(answer.get("token_type")).lower() != "bearer":
        raise ProviderAnswerRefused(reason="access_token")
    life = answer.get("expires_in")
    is_told = type(life) in (int, float) and 0 < life <= LONGEST_LIFE.total_seconds()  # type: ignore[operator]
    scope = answer.get("scope")
    return ProviderTokens(
        access_token=str(access_token),
        refresh_token=str(refresh_token) if _is_token(refresh_token) else None,
        expires_at=clock.now() + (timedelta(seconds=float(life)) if is_told else _DEFAULT_LIFE),  # type: ignore[arg-type]
        scope=scope[:2048] if isinstance(scope, str) and scope.isprintable() else "",
    )


def _is_token(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_TOKEN and value.isascii() and value.isprintable()


def _identity(issuer: str, claims: Mapping[str, Any], tokens: ProviderTokens | None) -> ProvenIdentity:
    return ProvenIdentity(
        issuer=issuer,
        subject=claims["sub"],
        email=_text(claims.get("email")) or None,
        email_verified=claims.get("email_verified") is True,  # and not "true", "false" or 1
        name=_UNWRITABLE.sub("", _text(claims.get("name"), as_it_is=False)),
        picture_url=_text(claims.get("picture")) or None,
        locale=_text(claims.get("locale")),
        hosted_domain=_text(claims.get("hd")) or None,
        auth_time=moment_of(claims, "auth_time"),
        tokens=tokens,
    )


def _text(value: object, *, as_it_is: bool = True) -> str:
    """A short text, or none: nothing is cut out of what has to be compared, or it would turn into something else."""
    is_short = isinstance(value, str) and len(value) <= LONGEST_TEXT
    return str(value) if is_short and (not as_it_is or str(value).isprintable()) else ""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
