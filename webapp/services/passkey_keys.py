"""Which keys a passkey may have, and that it comes without a maker's certificate: none was asked for."""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography, parse_attestation_object
from webauthn.helpers.cose import COSECRV, COSEAlgorithmIdentifier
from webauthn.helpers.decode_credential_public_key import DecodedEC2PublicKey, DecodedOKPPublicKey, DecodedRSAPublicKey
from webauthn.helpers.structs import AttestationObject

from webapp.services.passkey_challenges import decoded

# RS256 for the TPMs behind Windows Hello, which sign no other way; it verifies here and signs nothing.
ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_RSA_BITS = range(2048, 4097)
_RSA_EXPONENT = 65537


def require_plain(credential: Mapping[str, Any]) -> None:
    """Look at what a browser made before the library does: no attestation but of the key by itself (WebAuthn, section
    5.1.3), so that no certificate of a stranger is read; and a key that is what its algorithm says, and strong enough.

    Raises ValueError, or what the library raises over what is no credential.
    """
    made = parse_attestation_object(decoded(credential["response"]["attestationObject"]))
    if made.fmt != "none" and not (made.fmt == "packed" and made.att_stmt.x5c is None):
        raise ValueError("attested by somebody")
    if not _is_sound(made):
        raise ValueError("not a key to rely on")


def _is_sound(made: AttestationObject) -> bool:
    if made.auth_data.attested_credential_data is None:
        return False
    key = decode_credential_public_key(made.auth_data.attested_credential_data.credential_public_key)
    loaded = decoded_public_key_to_cryptography(key)
    if isinstance(key, DecodedEC2PublicKey):
        return key.alg == COSEAlgorithmIdentifier.ECDSA_SHA_256 and key.crv == COSECRV.P256
    if isinstance(key, DecodedOKPPublicKey):
        return key.alg == COSEAlgorithmIdentifier.EDDSA and key.crv == COSECRV.ED25519
    return (
        isinstance(key, DecodedRSAPublicKey)
        and isinstance(loaded, RSAPublicKey)
        and key.alg == COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256
        and loaded.key_size in _RSA_BITS
        and loaded.public_numbers().e == _RSA_EXPONENT
    )
