"""Make an account, confirm its address, choose a new password."""

from typing import Any

from flask import request
from flask_babel import get_locale, gettext

from webapp import errors
from webapp.blueprints.api.blueprint import bp
from webapp.blueprints.api.bodies import EmailBody, RegisterBody, ResetBody, TokenBody
from webapp.blueprints.api.replies import AcceptedReply
from webapp.http.client import client_of
from webapp.http.cookie_delivery import remember_device
from webapp.services import passwords, registration

Body = dict[str, Any]
_DEAD_LINKS = (errors.LinkInvalid, errors.LinkExpired, errors.LinkUsed, errors.LinkReplaced)


@bp.post("/auth/register")
@bp.arguments(RegisterBody)
@bp.response(202, AcceptedReply)
@bp.call(errors.EmailInvalid, errors.PasswordRefused, errors.TooManyAttempts, errors.Busy, is_open=True)
def register(body: Body) -> Body:
    """Make an account and mail a link to confirm its address. The answer is the same for every address."""
    registration.register(body["email"], body["password"], body["name"], str(get_locale()), client_of(request))
    return _accepted()


@bp.post("/auth/email/verify")
@bp.arguments(TokenBody)
@bp.response(204)
@bp.call(*_DEAD_LINKS, errors.TooManyAttempts, is_open=True)
def verify_email(body: Body) -> None:
    """Confirm the address of an account with the token of the mailed link."""
    registration.confirm_email(body["token"], client_of(request))


@bp.post("/auth/password/forgot")
@bp.arguments(EmailBody)
@bp.response(202, AcceptedReply)
@bp.call(errors.TooManyAttempts, is_open=True)
def forgot_password(body: Body) -> Body:
    """Mail a link to choose a new password. The answer is the same whether there is such an account."""
    passwords.forgot_password(body["email"], client_of(request))
    return _accepted()


@bp.post("/auth/password/reset")
@bp.arguments(ResetBody)
@bp.response(204)
@bp.call(*_DEAD_LINKS, errors.PasswordRefused, errors.TooManyAttempts, errors.Busy, is_open=True)
def reset_password(body: Body) -> None:
    """Choose a new password with the token of the mailed link. Every session of the account ends."""
    remember_device(passwords.reset_password(body["token"], body["password"], client_of(request)))


def _accepted() -> Body:
    return {"message": gettext("If the address can be used, a mail is on its way there.")}
