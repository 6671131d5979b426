"""Every refusal the site can give, each with its stable public code. No HTTP here.

Services and policy raise these; each blueprint maps them once (pages to a form message or a page, the
API to RFC 9457). A code, once published, keeps its meaning.
"""

from webapp.errors.api import (
    AccessTokenMissing as AccessTokenMissing,
)
from webapp.errors.api import (
    MalformedBody as MalformedBody,
)
from webapp.errors.api import (
    OriginRefused as OriginRefused,
)
from webapp.errors.api import (
    RefreshReused as RefreshReused,
)
from webapp.errors.api import (
    SessionRevoked as SessionRevoked,
)
from webapp.errors.api import (
    TokenExpired as TokenExpired,
)
from webapp.errors.api import (
    TokenInvalid as TokenInvalid,
)
from webapp.errors.api import (
    UnsupportedBody as UnsupportedBody,
)
from webapp.errors.api import (
    ValidationFailed as ValidationFailed,
)
from webapp.errors.base import (
    DomainError as DomainError,
)
from webapp.errors.factors import (
    FactorRefused as FactorRefused,
)
from webapp.errors.factors import (
    FactorSetupRequired as FactorSetupRequired,
)
from webapp.errors.factors import (
    LastFactorRequired as LastFactorRequired,
)
from webapp.errors.factors import (
    MfaRequired as MfaRequired,
)
from webapp.errors.factors import (
    PasskeyKnown as PasskeyKnown,
)
from webapp.errors.factors import (
    PasskeyRefused as PasskeyRefused,
)
from webapp.errors.factors import (
    TooManyPasskeys as TooManyPasskeys,
)
from webapp.errors.general import (
    AccountDeletionPending as AccountDeletionPending,
)
from webapp.errors.general import (
    AccountDisabled as AccountDisabled,
)
from webapp.errors.general import (
    Busy as Busy,
)
from webapp.errors.general import (
    EmailInvalid as EmailInvalid,
)
from webapp.errors.general import (
    EmailTaken as EmailTaken,
)
from webapp.errors.general import (
    EmailUnchanged as EmailUnchanged,
)
from webapp.errors.general import (
    EmailUnverified as EmailUnverified,
)
from webapp.errors.general import (
    InvalidCredentials as InvalidCredentials,
)
from webapp.errors.general import (
    LinkExpired as LinkExpired,
)
from webapp.errors.general import (
    LinkInvalid as LinkInvalid,
)
from webapp.errors.general import (
    LinkReplaced as LinkReplaced,
)
from webapp.errors.general import (
    LinkUsed as LinkUsed,
)
from webapp.errors.general import (
    NotFound as NotFound,
)
from webapp.errors.general import (
    NotSignedIn as NotSignedIn,
)
from webapp.errors.general import (
    PasswordBlocked as PasswordBlocked,
)
from webapp.errors.general import (
    PasswordRefused as PasswordRefused,
)
from webapp.errors.general import (
    ReauthenticationRequired as ReauthenticationRequired,
)
from webapp.errors.general import (
    SignInStepExpired as SignInStepExpired,
)
from webapp.errors.general import (
    StoreUnavailable as StoreUnavailable,
)
from webapp.errors.general import (
    TooManyAttempts as TooManyAttempts,
)
from webapp.errors.providers import (
    AccountExists as AccountExists,
)
from webapp.errors.providers import (
    AppCodeInvalid as AppCodeInvalid,
)
from webapp.errors.providers import (
    AuthorizationDenied as AuthorizationDenied,
)
from webapp.errors.providers import (
    AuthorizationExpired as AuthorizationExpired,
)
from webapp.errors.providers import (
    EventRefused as EventRefused,
)
from webapp.errors.providers import (
    IdentityBlocked as IdentityBlocked,
)
from webapp.errors.providers import (
    IdentityElsewhere as IdentityElsewhere,
)
from webapp.errors.providers import (
    IdentityTied as IdentityTied,
)
from webapp.errors.providers import (
    LastWayIn as LastWayIn,
)
from webapp.errors.providers import (
    ProviderAnswerRefused as ProviderAnswerRefused,
)
from webapp.errors.providers import (
    ProviderEmailUnverified as ProviderEmailUnverified,
)
from webapp.errors.providers import (
    ProviderProofTooOld as ProviderProofTooOld,
)
from webapp.errors.providers import (
    ProviderUnavailable as ProviderUnavailable,
)
from webapp.errors.providers import (
    RedirectRefused as RedirectRefused,
)
