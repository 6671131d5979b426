"""The security headers of every answer."""

from collections.abc import Iterable

_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def _written(policy: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in policy.items())


def policy_with_form(targets: Iterable[str]) -> str:
    """The policy of a page whose form may lead to these places, and here."""
    return _written(_POLICY | {"form-action": " ".join(["'self'", *targets])})


HEADERS = {
    "Content-Security-Policy": _written(_POLICY),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # the addresses here hold what only the client may know
    "Cross-Origin-Resource-Policy": "same-site",
}
