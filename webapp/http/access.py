"""Who may open what. Closed unless written down here: a new route asks for a sign-in until somebody opens it."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, current_app, request, session, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from webapp.errors import FactorSetupRequired, NotSignedIn, ReauthenticationRequired
from webapp.http.bearer import require_access_token
from webapp.http.identity import signed_in
from webapp.http.redirects import see_other
from webapp.http.request_checks import API_PREFIX
from webapp.http.site import current_request
from webapp.services.login_sessions import require_fresh
from webapp.services.security_events import log_security
from webapp.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

OPEN_ENDPOINTS = frozenset(
    {
        "static",
        "home.index",
        "auth.register",
        "auth.verify_email",
        "auth.decline_registration",
        "auth.login",
        "auth.keep_account",
        "auth.second_factor",
        "auth.second_factor_options",
        "auth.passkey",
        "auth.passkey_options",
        "auth.mailed_sign_in",
        "auth.mailed_code",
        "auth.mailed_link",
        "ops.passkey_endpoints",
        "auth.forgot_password",
        "auth.reset_password",
        "auth.undo_email_change",
        "federation.start",
        "federation.callback",
        "federation.connect",
        "federation.events",
        "ops.healthz",
        "ops.readyz",
        "ops.metrics",
        "ops.change_password",
        "ops.jwks",
        "ops.security_txt",
        "api-docs.openapi_json",
        "api.docs",
        "api.register",
        "api.verify_email",
        "api.forgot_password",
        "api.reset_password",
        "api.login",
        "api.keep_account",
        "api.refresh",
        "api.pass_second_factor",
        "api.second_factor_options",
        "api.passkey_options",
        "api.sign_in_with_passkey",
        "api.authorize",
        "api.exchange_code",
        "api.issue_nonce",
        "api.sign_in_with_id_token",
        "api.logout",
        "dev.mail",
        "dev.mail_message",
        "dev.mail_html",
        "dev.demo_spa",
    }
)


# What opens to somebody who still has to set up the second factor that the site demands.
SETUP_ENDPOINTS = frozenset(
    {
        "account.set_up_factor",
        "account.set_up_totp",
        "account.list_passkeys",
        "account.add_passkey",
        "account.new_passkey_options",
        "auth.logout",
        "auth.reauthenticate",
        "auth.reauthenticate_by_passkey",
        "federation.reauthenticate",
    }
)
MFA_REQUIRED = "MFA_REQUIRED"  # the key in app.config


def install_access(app: Flask, settings: Settings) -> None:
    """Refuse, before any view, whoever is not signed in and wants what is not open."""
    app.config[MFA_REQUIRED] = settings.MFA_REQUIRED
    app.before_request(_require_sign_in)
    app.register_error_handler(NotSignedIn, _ask_to_sign_in)
    app.register_error_handler(ReauthenticationRequired, _ask_again)
    app.register_error_handler(FactorSetupRequired, _ask_for_factor)


def fresh_sign_in(view: Callable[P, R]) -> Callable[P, R]:
    """For views that change who can get in: the last full proof has to be younger than 10 minutes (ASVS 7.5.1)."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        require_fresh(signed_in())
        return view(*args, **kwargs)

    return guarded


def _require_sign_in() -> None:
    asked = current_request()
    # Without an endpoint there is nothing to guard: the answer is 404 or 405.
    if asked.endpoint is None:
        return
    if asked.endpoint in OPEN_ENDPOINTS:
        if getattr(session, "signed_in", False):
            # A browser whose sign-in is over becomes a visitor's now, and not after a form was made for the other.
            _ = current_user.is_authenticated
        return
    if asked.path.startswith(API_PREFIX):
        require_access_token()
    elif not current_user.is_authenticated:
        raise NotSignedIn
    elif current_app.config[MFA_REQUIRED] and not signed_in().has_factor and asked.endpoint not in SETUP_ENDPOINTS:
        raise FactorSetupRequired


def _ask_to_sign_in(error: NotSignedIn) -> Response:
    log_security("authorization_refused", reason=error.code, endpoint=request.endpoint)
    return see_other(url_for("auth.login", next=_way_back()))


def _ask_again(error: ReauthenticationRequired) -> Response:
    log_security("authorization_refused", reason=error.code, endpoint=request.endpoint)
    return see_other(url_for("auth.reauthenticate", next=_way_back()))


def _ask_for_factor(error: FactorSetupRequired) -> Response:
    log_security("authorization_refused", reason=error.code, endpoint=request.endpoint)
    return see_other(url_for("account.set_up_factor", next=_way_back()))


def _way_back() -> str:
    """Where to go on after signing in: this page, or for a form the page it stands on, since a POST is not repeated."""
    if request.method in ("GET", "HEAD"):
        return request.full_path.rstrip("?")
    return _FORM_PAGES.get(request.endpoint or "", request.path)


_FORM_PAGES = {
    "auth.logout": "/",
    "auth.reauthenticate_by_passkey": "/reauthenticate",
    "account.revoke_session": "/account/sessions",
    "account.revoke_other_sessions": "/account/sessions",
    "account.not_me": "/account/activity",
    "account.cancel_email_change": "/account/email",
    "account.remove_totp": "/account/security",
    "account.add_passkey": "/account/security/passkeys",
    "account.rename_passkey": "/account/security/passkeys",
    "account.remove_passkey": "/account/security/passkeys",
    "account.distrust_browser": "/account/security",
    "federation.link": "/account/connections",
    "federation.unlink": "/account/connections",
    "federation.reauthenticate": "/account",
    "account.export": "/account/data",
    "account.delete": "/account/data",
}
