"""What the API takes. Shape only: meaning is the services'. Whatever is not named here is refused."""

from typing import Any

from flask_babel import lazy_gettext as _
from marshmallow import RAISE, Schema, ValidationError, validates_schema
from marshmallow.validate import Range

from webapp.blueprints.api.body_fields import MESSAGES, Choice, Count, Credential, Id, Text
from webapp.blueprints.api.examples import NONCE_EXAMPLE, UUID_EXAMPLE
from webapp.http.forms import LONGEST_EMAIL, LONGEST_NAME, LONGEST_PASSWORD
from webapp.http.locale import LOCALES

LONGEST_TOKEN = 2048  # characters; what has more is no token (services.strict_jwt)
LONGEST_REDIRECT = 600  # characters: more than any that can be listed, with a port
LONGEST_STATE = 512  # characters
LONGEST_NONCE = 256  # characters
LONGEST_ID_TOKEN = 12288  # characters; of a body of 16 KiB
BASE64URL, UNRESERVED = "A-Za-z0-9_-", "A-Za-z0-9._~-"  # RFC 4648, section 5; RFC 3986, section 2.3
_TOKEN_EXAMPLE = "kGq0mQ9n1Zr2sT3uV4wX5yA6bC7dE8fH9iJ0kL1mN2o"
_JWT_EXAMPLE = "eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9.eyJzaWQiOiIwMTk5YzBkZSJ9.c2lnbmF0dXJl"
_REDIRECT_EXAMPLE = "com.example.app:/callback"
_PASSWORD_EXAMPLE = "seven quiet otters crossing"
_FACTORS, _NO_FACTOR = ("totp", "recovery", "passkey"), _("This is one of: totp, recovery, passkey.")


class Strict(Schema):
    """A body that holds what is named and nothing else (ASVS 15.3.3). It may be left out where the call says so."""

    may_be_left_out = False

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": _("There is no such field here.")}


def _email(**kwargs: Any) -> Text:
    return Text(
        LONGEST_EMAIL, at_least=1, required=True, example="alice@example.com", note="An email address.", **kwargs
    )


def _password(note: str) -> Text:
    return Text(LONGEST_PASSWORD, at_least=1, required=True, example=_PASSWORD_EXAMPLE, note=note)


def _token(note: str) -> Text:
    return Text(LONGEST_TOKEN, at_least=1, required=True, example=_TOKEN_EXAMPLE, note=note)


class RegisterBody(Strict):
    """A new account."""

    email = _email(told="idn-email")
    password = _password("The password to sign in with. Where it is too short, the refusal says how long it has to be.")
    name = Text(LONGEST_NAME, example="Alice", note="What the person is called.", load_default="")


class TokenBody(Strict):
    """A mailed link's token."""

    token = _token("The last part of the address in the mail.")


class EmailBody(Strict):
    """An address."""

    email = _email()


class ResetBody(TokenBody):
    """A new password, by a mailed link."""

    password = _password("The new password.")


class SignInBody(Strict):
    """What every sign-in of an app may say of itself."""

    device_name = Text(
        LONGEST_NAME, example="Alice's phone", note="What the app calls this device in the list of sessions."
    )
    refresh_transport = Choice(
        ("body", "cookie"),
        _("This is one of: body, cookie."),
        note="Where the refresh token travels: in the body, or in a cookie for apps in a browser.",
        load_default="body",
    )


class LoginBody(SignInBody):
    """Address and password."""

    email = _email()
    password = _password("The password.")


class AppCodeBody(SignInBody):
    """The code that came back to the app, and the proof that it is the app that asked."""

    code = _token("As it came back to `redirect_uri`.")
    code_verifier = Text(
        128,
        at_least=43,
        required=True,
        alphabet=UNRESERVED,
        example="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        note="What `code_challenge` is the SHA-256 of (RFC 7636).",
    )
    redirect_uri = Text(
        LONGEST_REDIRECT, at_least=1, required=True, example=_REDIRECT_EXAMPLE, note="The same as in the beginning."
    )


class IdTokenBody(SignInBody):
    """What the provider's SDK gave, and the nonce it was asked with."""

    id_token = Text(LONGEST_ID_TOKEN, at_least=1, required=True, example=_JWT_EXAMPLE, note="The ID token, as it is.")
    nonce = Text(
        LONGEST_NONCE, at_least=1, required=True, example=NONCE_EXAMPLE, note="The one the SDK was asked with."
    )


class MfaTokenBody(Strict):
    """A sign-in that waits for its second factor."""

    mfa_token = _token("As it came with mfa_required.")


class MfaBody(MfaTokenBody):
    """The second factor of a sign-in that waits for it."""

    method = Choice(_FACTORS, _NO_FACTOR, note="How.", required=True)
    code = Text(100, example="492039", note="The code, for totp and recovery.")
    credential = Credential(note="What the passkey signed, for passkey.")


class PasskeyBody(SignInBody):
    """What a passkey signed."""

    credential = Credential(note="As PublicKeyCredential.toJSON() gives it.", required=True)


class ReauthenticateBody(Strict):
    """The password once more, and the second factor where the account has one; or a passkey, which is both."""

    password = Text(LONGEST_PASSWORD, at_least=1, example=_PASSWORD_EXAMPLE, note="Needed, but for passkey.")
    method = Choice(_FACTORS, _NO_FACTOR, note="How the second factor is shown.")
    code = Text(100, example="492039", note="The code, for totp and recovery.")
    credential = Credential(note="What the passkey signed of /auth/passkey/options, for passkey.")

    @validates_schema
    def _needs_password(self, body: dict[str, Any], **_: Any) -> None:
        if "password" not in body and body.get("method") != "passkey":
            raise ValidationError({"password": [MESSAGES["required"]]})


class StepBody(Strict):
    """A sign-in that waits for its next step."""

    step_token = _token("As it came with account_deletion_pending.")


class RefreshBody(Strict):
    """The refresh token, unless it comes in the cookie."""

    refresh_token = Text(LONGEST_TOKEN, at_least=1, example=_JWT_EXAMPLE, note="The newest refresh token there is.")


class ProfileBody(Strict):
    """What is to change; what is left out stays."""

    name = Text(LONGEST_NAME, example="Alice", note="What the person is called.")
    locale = Choice(LOCALES, _("This is one of: en, ko."), note="The language of mails and pages.")


class NewPasswordBody(Strict):
    """The password now, and the one to come."""

    current_password = _password("The present password.")
    new_password = Text(
        LONGEST_PASSWORD,
        at_least=1,
        required=True,
        example="eight louder herons landing",
        note="The new one. Where it is too short, the refusal says how long it has to be.",
    )


class DeletionBody(Strict):
    """The password, where the sign-in is older than ten minutes."""

    password = Text(
        LONGEST_PASSWORD,
        at_least=1,
        example=_PASSWORD_EXAMPLE,
        note="Needed where the sign-in is older than ten minutes.",
    )


class AuthorizeQuery(Schema):
    """An authorization request of an app (RFC 6749, section 4.1.1; RFC 7636, section 4.3)."""

    redirect_uri = Text(
        LONGEST_REDIRECT, at_least=1, required=True, example=_REDIRECT_EXAMPLE, note="Where the app waits."
    )
    state = Text(
        LONGEST_STATE,
        at_least=1,
        required=True,
        example="n7Kq2Vx0",
        note="Comes back with the code, for the app to compare.",
    )
    code_challenge = Text(
        43,
        at_least=43,
        required=True,
        alphabet=BASE64URL,
        example="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        note="The SHA-256 of the app's verifier, in base64url.",
    )
    code_challenge_method = Choice(("S256",), _("This is one of: S256."), note="How it was made.", required=True)


class EventsQuery(Schema):
    """Which page of events."""

    before = Id(
        metadata={"description": "Go on after this one: `next` of the page before.", "examples": [UUID_EXAMPLE]},
        error_messages={"invalid_uuid": _("This is not the id of an event.")},
    )
    limit = Count(
        load_default=20,
        validate=Range(1, 100, error=_("This is a number from 1 to 100.")),
        metadata={"description": "How many, at most.", "examples": [20]},
        error_messages={"invalid": _("This is a number from 1 to 100.")},
    )
