"""Keys for the providers of the tests: made once a run, because that is slow, and lent under any kid."""

from functools import cache

from joserfc.jwk import ECKey, RSAKey

Key = RSAKey | ECKey


@cache
def _rsa(name: str) -> RSAKey:
    return RSAKey.generate_key(2048)


@cache
def _ec(name: str) -> ECKey:
    return ECKey.generate_key("P-256")


@cache
def rsa_key(name: str, kid: str = "") -> RSAKey:
    """The RSA key of this name, always the same; its kid is `kid`, or the name."""
    return RSAKey.import_key(_rsa(name).as_dict(private=True), {"kid": kid or name, "use": "sig", "alg": "RS256"})


@cache
def ec_key(name: str, kid: str = "") -> ECKey:
    """The same on P-256, for ES256."""
    return ECKey.import_key(_ec(name).as_dict(private=True), {"kid": kid or name, "use": "sig", "alg": "ES256"})
