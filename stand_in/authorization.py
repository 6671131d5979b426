"""Authorization requests, read as strictly as their specifications allow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from stand_in.clients import Client

PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # a SHA-256 (RFC 7636, section 4.2)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")  # RFC 6749, section 3.3
_LONGEST = 4096  # characters of one parameter


class NotOurs(Exception):
    """Nobody we know asks, or wants the answer somewhere we do not know: nothing may be sent there."""


@dataclass
class Refused(Exception):
    """The client is told with a redirect (RFC 6749, section 4.1.2.1)."""

    redirect_uri: str
    state: str | None
    error: str
    description: str


@dataclass(frozen=True)
class AuthorizationRequest:
    """What a client asks for."""

    client: Client
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    nonce: str
    challenge: str
    prompts: frozenset[str] = frozenset()
    max_age: int | None = None  # seconds
    login_hint: str = ""
    offline: bool = False

    def needs_sign_in(self, signed_in_at: int | None, now: int) -> bool:
        """Whether somebody who signed in then has to do so again."""
        if signed_in_at is None or "login" in self.prompts:
            return True
        return self.max_age is not None and now - signed_in_at > self.max_age - (self.max_age == 0)


def read_authorization_request(args: MultiDict[str, str], clients: Mapping[str, Client]) -> AuthorizationRequest:
    """The request. Raises NotOurs, or Refused with what the client is to be told."""
    client, redirect_uri = _who_asks(args, clients)
    state = args.get("state") or None

    def refuse(error: str, description: str) -> Refused:
        return Refused(redirect_uri, state, error, description)

    if complaint := _complaint_about_the_form(args):
        raise refuse("invalid_request", complaint)
    if args.get("response_type") != "code":
        raise refuse("unsupported_response_type", "response_type must be code")
    for name in ("request", "request_uri"):
        if name in args:
            raise refuse(f"{name}_not_supported", f"{name} is not supported")
    scopes = tuple(dict.fromkeys(args.get("scope", "").split()))
    if "openid" not in scopes or not all(_SCOPE.fullmatch(scope) for scope in scopes):
        raise refuse("invalid_scope", "scope must contain openid")
    if complaint := _complaint_about_the_values(args):
        raise refuse("invalid_request", complaint)
    return AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        scopes=scopes,
        state=args["state"],
        nonce=args["nonce"],
        challenge=args["code_challenge"],
        prompts=frozenset(args.get("prompt", "").split()),
        max_age=int(args["max_age"]) if args.get("max_age") else None,
        login_hint=args.get("login_hint", ""),
        offline=args.get("access_type") == "offline" or "offline_access" in scopes,
    )


def _who_asks(args: MultiDict[str, str], clients: Mapping[str, Client]) -> tuple[Client, str]:
    if len(args.getlist("client_id")) != 1 or args["client_id"] not in clients:
        raise NotOurs("The site that sent you here is not registered (client_id).")
    client = clients[args["client_id"]]
    if len(args.getlist("redirect_uri")) != 1 or args["redirect_uri"] not in client.redirect_uris:
        raise NotOurs("The site wants the answer at an address that is not registered for it (redirect_uri).")
    return client, args["redirect_uri"]


def _complaint_about_the_form(args: MultiDict[str, str]) -> str:
    for name, values in args.lists():
        if len(values) > 1:
            return "a parameter stands twice"
        if len(values[0]) > _LONGEST:
            return f"{name} is too long" if name.isidentifier() else "a parameter is too long"
    return ""


def _complaint_about_the_values(args: MultiDict[str, str]) -> str:
    prompts = set(args.get("prompt", "").split())
    max_age = args.get("max_age") or "0"
    wrong = {
        "state is required": not args.get("state"),
        "nonce is required": not args.get("nonce"),
        "code_challenge_method must be S256": args.get("code_challenge_method") != "S256",
        "code_challenge must be a SHA-256": not _CHALLENGE.fullmatch(args.get("code_challenge", "")),
        "response_mode must be query": args.get("response_mode", "query") != "query",
        "prompt is not understood": not prompts <= PROMPTS or ("none" in prompts and len(prompts) > 1),
        "max_age must be seconds": not (max_age.isascii() and max_age.isdigit() and len(max_age) < 10),
    }
    return next((complaint for complaint, holds in wrong.items() if holds), "")
