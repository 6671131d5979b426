"""What somebody can do after a refusal: first the one thing that helps most, then at most one other."""

from dataclasses import dataclass

from flask import url_for
from flask_babel import gettext
from flask_login import current_user

from webapp import errors
from webapp.errors import DomainError
from webapp.services.federation import Intent
from webapp.services.identities import label_of


@dataclass(frozen=True)
class Step:
    """A page to go to, or a provider to go to once more."""

    label: str
    url: str = ""
    provider: str = ""


def next_steps(error: DomainError, intent: Intent, provider: str, next_path: str) -> tuple[Step, ...]:
    """The steps, the most helpful one first."""
    if app := error.details.get("way_back"):
        return (Step(gettext("Back to the app"), str(app)),)
    if intent is Intent.LINK:
        return (Step(gettext("Back to your connected accounts"), url_for("federation.connections")),)
    if intent is Intent.REAUTHENTICATE:
        return (Step(gettext("Try another way"), url_for("auth.reauthenticate", next=next_path or None)),)
    if current_user.is_authenticated:
        return (Step(gettext("Go to your account"), next_path or url_for("account.profile")),)
    return _of_a_visitor(error, provider, next_path)


def _of_a_visitor(error: DomainError, provider: str, next_path: str) -> tuple[Step, ...]:
    sign_in = url_for("auth.login", next=next_path or None)
    another_way = Step(gettext("Sign in another way"), sign_in)
    again = Step(gettext("Try again with %(provider)s", provider=label_of(provider)), provider=provider)
    if isinstance(error, errors.AuthorizationExpired | errors.ProviderAnswerRefused | errors.SignInStepExpired):
        return again, another_way
    if isinstance(error, errors.IdentityTied):
        return Step(
            gettext("Choose another %(provider)s account", provider=label_of(provider)), provider=provider
        ), another_way
    if isinstance(error, errors.ProviderEmailUnverified):
        return Step(gettext("Create an account"), url_for("auth.register")), another_way
    if isinstance(error, errors.AccountDisabled):
        return (Step(gettext("Go to the start page"), url_for("home.index")),)
    if isinstance(error, errors.ProviderUnavailable):
        return another_way, again
    if isinstance(error, errors.AuthorizationDenied | errors.EmailUnverified):
        return (Step(gettext("Back to sign in"), sign_in),)
    return (another_way,)
