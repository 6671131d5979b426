"""What the API gives."""

from typing import Any

from marshmallow import Schema, fields

_UUID_EXAMPLE = "0199c0de-0000-7000-8000-00000000c0de"
_TIME_EXAMPLE = "2026-11-25T09:30:00+00:00"


def _said(example: Any, note: str = "") -> dict[str, Any]:
    return {"examples": [example], **({"description": note} if note else {})}


class AcceptedReply(Schema):
    """The same for every address."""

    message = fields.String(required=True, metadata=_said("If the address can be used, a mail is on its way there."))


class TokensReply(Schema):
    """An access token and a refresh token."""

    access_token = fields.String(required=True, metadata=_said("eyJ…", "A JWT by RFC 9068."))
    token_type = fields.String(required=True, metadata={**_said("Bearer"), "enum": ["Bearer"]})
    expires_in = fields.Integer(required=True, metadata=_said(600, "Seconds."))
    refresh_token = fields.String(metadata=_said("eyJ…", "Left out where it travels in the cookie."))
    refresh_expires_in = fields.Integer(required=True, metadata=_said(2592000, "Seconds."))
    session_id = fields.UUID(required=True, metadata=_said(_UUID_EXAMPLE))


class ClaimsReply(Schema):
    """What the verified access token says."""

    iss = fields.String(required=True, metadata=_said("https://login.example.com"))
    aud = fields.String(required=True, metadata=_said("https://login.example.com/api"))
    sub = fields.UUID(required=True, metadata=_said(_UUID_EXAMPLE, "Whose account."))
    sid = fields.UUID(required=True, metadata=_said(_UUID_EXAMPLE, "Which login session."))
    jti = fields.String(required=True, metadata=_said(_UUID_EXAMPLE))
    iat = fields.Integer(required=True, metadata=_said(1795599000))
    nbf = fields.Integer(required=True, metadata=_said(1795599000))
    exp = fields.Integer(required=True, metadata=_said(1795599600))
    auth_time = fields.Integer(required=True, metadata=_said(1795599000, "When the person last proved who they are."))
    amr = fields.List(fields.String(), required=True, metadata=_said(["pwd"], "How (RFC 8176)."))


class MeReply(Schema):
    """The account."""

    id = fields.UUID(required=True, attribute="user_id", metadata=_said(_UUID_EXAMPLE))
    email = fields.String(required=True, metadata=_said("alice@example.com"))
    email_verified = fields.Boolean(required=True)
    name = fields.String(required=True, metadata=_said("Alice"))
    locale = fields.String(required=True, metadata=_said("en"))
    created_at = fields.AwareDateTime(required=True, metadata=_said(_TIME_EXAMPLE))
    password_changed_at = fields.AwareDateTime(required=True, allow_none=True, metadata=_said(_TIME_EXAMPLE))


class DeletionReply(Schema):
    """When the account will be gone; signing in before then offers to keep it."""

    deletion_due_at = fields.AwareDateTime(required=True, metadata=_said(_TIME_EXAMPLE))


class SessionReply(Schema):
    """One place where the person is signed in."""

    id = fields.UUID(required=True, metadata=_said(_UUID_EXAMPLE))
    kind = fields.String(required=True, metadata={**_said("api"), "enum": ["web", "api"]})
    current = fields.Boolean(required=True)
    created_at = fields.AwareDateTime(required=True, metadata=_said(_TIME_EXAMPLE))
    last_seen_at = fields.AwareDateTime(required=True, metadata=_said(_TIME_EXAMPLE))
    ip = fields.String(required=True, metadata=_said("203.0.113.7"))
    user_agent = fields.String(required=True)
    device_name = fields.String(required=True, allow_none=True, metadata=_said("Alice's phone"))
    methods = fields.List(fields.String(), required=True, metadata=_said(["pwd"], "How it was proven (RFC 8176)."))


class EventReply(Schema):
    """One thing that happened to the account's security."""

    id = fields.UUID(required=True, metadata=_said(_UUID_EXAMPLE))
    kind = fields.String(required=True, metadata=_said("signed_in"))
    at = fields.AwareDateTime(required=True, metadata=_said(_TIME_EXAMPLE))
    ip = fields.String(required=True)
    user_agent = fields.String(required=True)
    session_id = fields.UUID(required=True, allow_none=True, attribute="login_session_id")
    details = fields.Dict(keys=fields.String(), required=True, metadata=_said({"methods": "pwd"}))


class EventsReply(Schema):
    """One page of events, newest first."""

    events = fields.List(fields.Nested(EventReply), required=True)
    next = fields.UUID(required=True, allow_none=True, metadata={"description": "`before` of the next, older page."})


class MisfitReply(Schema):
    """One value that does not fit."""

    pointer = fields.String(metadata=_said("/email", "Where in the body (RFC 6901)."))
    parameter = fields.String(metadata=_said("limit", "Or which parameter of the query."))
    detail = fields.String(required=True, metadata=_said("This is missing."))


class ProblemReply(Schema):
    """A refusal (RFC 9457)."""

    type = fields.String(required=True, metadata={"format": "uri"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(metadata={"description": "For people, in the language of Accept-Language."})
    code = fields.String(required=True, metadata={"description": "For programs. It keeps its meaning."})
    request_id = fields.String(required=True, metadata={"description": "To quote when asking for help."})
    errors = fields.List(fields.Nested(MisfitReply))
    reason = fields.String(metadata={"description": "With session_revoked: why."})
    rule = fields.String(metadata={"description": "With password_refused: which rule."})
    min_length = fields.Integer(metadata={"description": "With password_refused: the least length."})
    why = fields.String(metadata={"description": "With malformed_body: what is wrong."})
    step_token = fields.String(metadata={"description": "With account_deletion_pending: resumes the sign-in."})
    deletion_due_at = fields.AwareDateTime(metadata={"description": "With account_deletion_pending: when."})
