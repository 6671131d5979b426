"""JSON Web Keys, as far as ids need them."""

import base64
import hashlib
import json
from collections.abc import Mapping


def thumbprint(jwk: Mapping[str, str]) -> str:
    """The id of an elliptic curve key that anybody can compute from it (RFC 7638, section 3)."""
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()
