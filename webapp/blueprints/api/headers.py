"""The headers of answers, for the document of the API: what they say, and which answers carry them."""

from typing import Any, Final

from webapp.http.problems import REALM

Header = dict[str, Any]


def _header(description: str, example: Any, *, always: bool = False, **schema: Any) -> Header:
    kind = {"type": "integer", "minimum": 0} if isinstance(example, int) else {"type": "string"}
    return {"description": description, "required": always, "schema": {**kind, **schema}, "example": example}


HEADERS: Final[dict[str, Header]] = {
    "X-Request-ID": _header(
        "The id of this request, to quote when asking for help.", "0199c0de-0000-7000-8000-00000000c0de", always=True
    ),
    "WWW-Authenticate": _header(
        "What the access token lacks (RFC 6750, section 3; RFC 9470, section 3).",
        f'{REALM}, error="invalid_token"',
        always=True,
    ),
    "Retry-After": _header("Seconds to wait before trying again.", 5, always=True),
    "X-RateLimit-Limit": _header("How many attempts the limit that is closest to its end allows.", 10),
    "X-RateLimit-Remaining": _header("How many of them are left.", 9),
    "X-RateLimit-Reset": _header("Seconds until they are all there again.", 900),
    "Link": _header(
        "The next, older page (RFC 8288); left out on the last one.",
        '</api/v1/events?before=0199c0de-0000-7000-8000-00000000c0de&limit=20>; rel="next"',
    ),
    "Set-Cookie": _header(
        "For apps in a browser: the refresh token, where it travels in a cookie, empty where a sign-out takes it away; "
        "and the cookie by which a device is known again.",
        "__Secure-refresh=eyJ…; Secure; HttpOnly; Path=/api/v1/auth; SameSite=Strict",
    ),
    "Location": _header(
        "Where to go on: the provider, which sends the browser back.", "https://accounts.google.com/o/oauth2/v2/auth?…"
    ),
    "Allow": _header("The methods that this address takes.", "GET, HEAD, OPTIONS", always=True),
}
_OF_LIMITS: Final = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_OF_REFUSALS: Final[dict[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
# What a call that went well says in a header, by its name.
_OF_CALLS: Final[dict[str, tuple[str, ...]]] = {
    "reset_password": ("Set-Cookie",),
    "login": ("Set-Cookie",),
    "keep_account": ("Set-Cookie",),
    "pass_second_factor": ("Set-Cookie",),
    "sign_in_with_passkey": ("Set-Cookie",),
    "exchange_code": ("Set-Cookie",),
    "sign_in_with_id_token": ("Set-Cookie",),
    "authorize": ("Set-Cookie", "Location"),
    "refresh": ("Set-Cookie",),
    "logout": ("Set-Cookie",),
    "logout_all": ("Set-Cookie",),
    "list_events": ("Link",),
}


def headers_of(status: int, call: str = "", *, is_limited: bool = False) -> dict[str, str]:
    """The headers of an answer, each by the name of its component."""
    limits = _OF_LIMITS if is_limited and status < 500 and status != 413 else ()
    own = _OF_CALLS.get(call, ()) if status < 400 else ()
    return {name: name for name in ("X-Request-ID", *_OF_REFUSALS.get(status, ()), *limits, *own)}
