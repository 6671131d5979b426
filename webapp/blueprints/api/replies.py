"""What the API gives."""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from webapp.blueprints.api.examples import NONCE_EXAMPLE, TIME_EXAMPLE, UUID_EXAMPLE
from webapp.http.problems import told_codes


def _said(example: Any, note: str = "", **more: Any) -> dict[str, Any]:
    return {"examples": [example], **({"description": note} if note else {}), **more}


class Reply(Schema):
    """An answer. There may be more in it one day, which who does not know it ignores."""

    class Meta:
        unknown = EXCLUDE


class AcceptedReply(Reply):
    """The same for every address."""

    message = fields.String(required=True, metadata=_said("If the address can be used, a mail is on its way there."))


class TokensReply(Reply):
    """An access token and a refresh token."""

    access_token = fields.String(required=True, metadata=_said("eyJ…", "A JWT by RFC 9068."))
    token_type = fields.String(required=True, metadata=_said("Bearer", enum=["Bearer"]))
    expires_in = fields.Integer(required=True, metadata=_said(600, "Seconds.", minimum=0))
    refresh_token = fields.String(metadata=_said("eyJ…", "Left out where it travels in the cookie."))
    refresh_expires_in = fields.Integer(
        required=True, metadata=_said(2592000, "Seconds until the session ends, whatever is refreshed.", minimum=0)
    )
    session_id = fields.UUID(required=True, metadata=_said(UUID_EXAMPLE))


class PasskeyOptionsReply(Reply):
    """What `navigator.credentials.get` or a phone's passkey API takes (Web Authentication Level 3, section 5.5)."""

    public_key = fields.Dict(
        required=True,
        data_key="publicKey",
        metadata=_said({"challenge": "kGq0mQ9n1Zr2sT3uV4wX5yA6bC7dE8fH9iJ0kL1mN2o", "rpId": "login.example.com"}),
    )


class AccessTokenReply(Reply):
    """A new access token for the session that goes on."""

    access_token = fields.String(required=True, metadata=_said("eyJ…", "A JWT by RFC 9068."))
    token_type = fields.String(required=True, metadata=_said("Bearer", enum=["Bearer"]))
    expires_in = fields.Integer(required=True, metadata=_said(600, "Seconds.", minimum=0))


class NonceReply(Reply):
    """A nonce for the provider's SDK."""

    nonce = fields.String(required=True, metadata=_said(NONCE_EXAMPLE))
    expires_in = fields.Integer(required=True, metadata=_said(300, "Seconds.", minimum=0))


class ClaimsReply(Reply):
    """What the verified access token says."""

    iss = fields.String(required=True, metadata=_said("https://login.example.com"))
    aud = fields.String(required=True, metadata=_said("https://login.example.com/api"))
    sub = fields.UUID(required=True, metadata=_said(UUID_EXAMPLE, "Whose account."))
    sid = fields.UUID(required=True, metadata=_said(UUID_EXAMPLE, "Which login session."))
    jti = fields.String(required=True, metadata=_said(UUID_EXAMPLE, "Which token."))
    iat = fields.Integer(required=True, metadata=_said(1795599000))
    nbf = fields.Integer(required=True, metadata=_said(1795599000))
    exp = fields.Integer(required=True, metadata=_said(1795599600))
    auth_time = fields.Integer(required=True, metadata=_said(1795599000, "When the person last proved who they are."))
    amr = fields.List(fields.String(), required=True, metadata=_said(["pwd"], "How (RFC 8176)."))


class MeReply(Reply):
    """The account."""

    id = fields.UUID(required=True, attribute="user_id", metadata=_said(UUID_EXAMPLE))
    email = fields.String(required=True, metadata=_said("alice@example.com"))
    email_verified = fields.Boolean(required=True, metadata=_said(True))
    name = fields.String(required=True, metadata=_said("Alice"))
    locale = fields.String(required=True, metadata=_said("en"))
    created_at = fields.AwareDateTime(required=True, metadata=_said(TIME_EXAMPLE))
    password_changed_at = fields.AwareDateTime(required=True, allow_none=True, metadata=_said(TIME_EXAMPLE))


class DeletionReply(Reply):
    """When the account will be gone; signing in before then offers to keep it."""

    deletion_due_at = fields.AwareDateTime(required=True, metadata=_said(TIME_EXAMPLE))


class SessionReply(Reply):
    """One place where the person is signed in."""

    id = fields.UUID(required=True, metadata=_said(UUID_EXAMPLE))
    kind = fields.String(required=True, metadata=_said("api", enum=["web", "api"]))
    current = fields.Boolean(required=True, metadata=_said(True, "Whether it is the one that asks."))
    created_at = fields.AwareDateTime(required=True, metadata=_said(TIME_EXAMPLE))
    last_seen_at = fields.AwareDateTime(required=True, metadata=_said(TIME_EXAMPLE))
    ip = fields.String(required=True, metadata=_said("203.0.113.7"))
    user_agent = fields.String(required=True, metadata=_said("okhttp/5.1.0"))
    device_name = fields.String(required=True, allow_none=True, metadata=_said("Alice's phone"))
    methods = fields.List(fields.String(), required=True, metadata=_said(["pwd"], "How it was proven (RFC 8176)."))


class EventReply(Reply):
    """One thing that happened to the account's security."""

    id = fields.UUID(required=True, metadata=_said(UUID_EXAMPLE))
    kind = fields.String(required=True, metadata=_said("signed_in"))
    at = fields.AwareDateTime(required=True, metadata=_said(TIME_EXAMPLE))
    ip = fields.String(required=True, metadata=_said("203.0.113.7"))
    user_agent = fields.String(required=True, metadata=_said("okhttp/5.1.0"))
    session_id = fields.UUID(required=True, allow_none=True, attribute="login_session_id", metadata=_said(UUID_EXAMPLE))
    details = fields.Dict(keys=fields.String(), required=True, metadata=_said({"methods": "pwd"}))


class EventsReply(Reply):
    """One page of events, newest first."""

    events = fields.List(fields.Nested(EventReply), required=True)
    next = fields.UUID(
        required=True,
        allow_none=True,
        metadata=_said(UUID_EXAMPLE, "`before` of the next, older page; null on the last."),
    )


class MisfitReply(Reply):
    """One value that does not fit."""

    pointer = fields.String(metadata=_said("/email", "Where in the body (RFC 6901)."))
    parameter = fields.String(metadata=_said("limit", "Or which parameter of the query."))
    detail = fields.String(required=True, metadata=_said("This is missing."))


class ProblemReply(Reply):
    """A refusal (RFC 9457)."""

    type = fields.String(required=True, metadata={"format": "uri", "description": "Leads to what explains the code."})
    title = fields.String(required=True, metadata={"description": "The code in words, the same in every language."})
    status = fields.Integer(required=True, metadata={"minimum": 400, "maximum": 599})
    detail = fields.String(metadata={"description": "For people, in the language of Accept-Language."})
    code = fields.String(
        required=True,
        metadata={
            "description": "For programs. It keeps its meaning.",
            "pattern": "^[a-z_]+$",
            "examples": [*told_codes()],
        },
    )
    request_id = fields.String(required=True, metadata={"description": "To quote when asking for help."})
    errors = fields.List(fields.Nested(MisfitReply), metadata={"description": "What is wrong, each at its place."})
    reason = fields.String(metadata={"description": "With session_revoked: why, where that is known."})
    rule = fields.String(metadata={"description": "With password_refused: which rule."})
    min_length = fields.Integer(metadata={"description": "With password_refused: the least length.", "minimum": 8})
    why = fields.String(
        metadata={
            "description": "With malformed_body: what is wrong.",
            "examples": ["not_json", "not_utf8", "too_deep", "repeated_name", "unreadable_name"],
        }
    )
    step_token = fields.String(metadata={"description": "With account_deletion_pending: for /auth/keep-account."})
    mfa_token = fields.String(metadata={"description": "With mfa_required: for /auth/mfa."})
    methods = fields.List(
        fields.String(),
        metadata={
            "description": "With mfa_required: by which the second factor can be shown. With "
            "reauthentication_required: what /auth/reauthenticate takes; the password, beside it one of the codes "
            "where there are any, or a passkey alone."
        },
    )
    deletion_due_at = fields.AwareDateTime(metadata={"description": "With account_deletion_pending: when."})
