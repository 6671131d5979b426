"""Codes that let an app have what its person proved in the browser: each for one app, once, for a minute."""

import base64
import hashlib
import hmac
import uuid
from datetime import datetime

from webapp.errors import AppCodeInvalid, LinkInvalid, ValidationFailed
from webapp.policy.authorization import is_allowed_redirect, is_challenge, is_verifier
from webapp.policy.one_time import Purpose
from webapp.policy.throttling import Limit, network_of
from webapp.services.authorization import AppRequest
from webapp.services.client import Client
from webapp.services.one_time import issue_token, spend_token
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security
from webapp.services.sign_in import Proof
from webapp.services.transaction import transaction


def check_app_request(redirect_uri: str, state: str, code_challenge: str) -> AppRequest:
    """What an app asks for, where it is an app that we know and comes with a challenge (RFC 9700, section 2.1).

    Raises ValidationFailed: nobody is sent back to an address that is not listed.
    """
    misfits = []
    if not is_allowed_redirect(redirect_uri, runtime().settings.API_REDIRECT_URIS):
        misfits.append(("?redirect_uri", "This address is not one of API_REDIRECT_URIS."))
    if not is_challenge(code_challenge):
        misfits.append(("?code_challenge", "This is not the SHA-256 of a verifier in base64url (RFC 7636)."))
    if misfits:
        raise ValidationFailed(tuple(misfits))
    return AppRequest(redirect_uri, state, code_challenge)


def issue_app_code(proof: Proof, app: AppRequest) -> str:
    """A code for what was proven. Whoever exchanges it has to show the verifier of the app that asked."""
    data = {
        "methods": " ".join(proof.methods),
        "proven_at": proof.at.isoformat(),
        "redirect_uri": app.redirect_uri,
        "code_challenge": app.code_challenge,
    }
    with transaction() as tx:
        return issue_token(tx, proof.user_id, Purpose.APP_CODE, data=data)


def spend_app_code(code: str, code_verifier: str, redirect_uri: str, client: Client) -> Proof:
    """What a code stands for. A wrong verifier or address spends it, too: it was shown to somebody else.

    Raises AppCodeInvalid or TooManyAttempts.
    """
    runtime().throttle.hit(Limit.APP_PROOF_NETWORK, network_of(client.ip))
    try:
        with transaction() as tx:
            spent = spend_token(tx, code, Purpose.APP_CODE)
            data, user_id = spent.data, uuid.UUID(str(spent.user_id))
    except LinkInvalid:
        raise AppCodeInvalid from None
    is_the_app = is_verifier(code_verifier) and hmac.compare_digest(_challenge(code_verifier), data["code_challenge"])
    if not is_the_app or redirect_uri != data["redirect_uri"]:
        log_security("app_code_refused", user_id=user_id)
        raise AppCodeInvalid
    return Proof(user_id, tuple(data["methods"].split()), datetime.fromisoformat(data["proven_at"]))


def _challenge(verifier: str) -> str:
    """RFC 7636, section 4.6."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
