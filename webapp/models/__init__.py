"""The tables. One a file; plain SQLAlchemy; they know no services.

Import from here what a query needs; importing the package makes every table known to the migrations.
"""

from webapp.models.authorization_request import AuthorizationRequest
from webapp.models.base import Base
from webapp.models.cookie_session import CookieSession
from webapp.models.identity import Identity
from webapp.models.known_device import KnownDevice
from webapp.models.login_session import LoginSession
from webapp.models.one_time_token import OneTimeToken
from webapp.models.outbox_message import OutboxMessage
from webapp.models.passkey import Passkey
from webapp.models.provider_grant import ProviderGrant
from webapp.models.provider_revocation import ProviderRevocation
from webapp.models.rate_limit import RateLimit
from webapp.models.recovery_code import RecoveryCode
from webapp.models.security_event import SecurityEvent
from webapp.models.sign_in_in_progress import SignInInProgress
from webapp.models.signing_key import SigningKey
from webapp.models.spent_value import SpentValue
from webapp.models.totp_factor import TotpFactor
from webapp.models.trusted_browser import TrustedBrowser
from webapp.models.user import User

__all__ = [
    "AuthorizationRequest",
    "Base",
    "CookieSession",
    "Identity",
    "KnownDevice",
    "LoginSession",
    "OneTimeToken",
    "OutboxMessage",
    "Passkey",
    "ProviderGrant",
    "ProviderRevocation",
    "RateLimit",
    "RecoveryCode",
    "SecurityEvent",
    "SignInInProgress",
    "SigningKey",
    "SpentValue",
    "TotpFactor",
    "TrustedBrowser",
    "User",
]
