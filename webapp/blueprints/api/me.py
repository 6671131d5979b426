"""One's own account."""

from typing import Any

from flask import request

from webapp import errors
from webapp.blueprints.api.blueprint import bp
from webapp.blueprints.api.bodies import DeletionBody, NewPasswordBody, ProfileBody
from webapp.blueprints.api.replies import DeletionReply, MeReply
from webapp.http import bearer
from webapp.http.client import client_of
from webapp.services import account_deletion, passwords
from webapp.services.profile import change_profile

Body = dict[str, Any]


@bp.get("/me")
@bp.response(200, MeReply)
@bp.call(takes_body=False)
def me() -> Any:
    """The account."""
    return bearer.signed_in()


@bp.patch("/me")
@bp.arguments(ProfileBody)
@bp.response(200, MeReply)
@bp.call()
def change_me(body: Body) -> Any:
    """Change the name or the language; what is left out stays."""
    person = bearer.signed_in()
    change_profile(person, name=body.get("name", person.name), locale=body.get("locale", person.locale))
    return bearer.signed_in_anew()


@bp.delete("/me")
@bp.arguments(DeletionBody, required=False)
@bp.response(202, DeletionReply)
@bp.call(errors.InvalidCredentials, errors.ReauthenticationRequired, errors.TooManyAttempts, errors.Busy)
def delete_me(body: Body) -> Any:
    """Have the account deleted after seven days, in which signing in offers to keep it. Every session ends now.

    Needs the password, or a sign-in of the last ten minutes; that in any case where the account has a second factor.
    """
    due = account_deletion.schedule_deletion(bearer.signed_in(), client_of(request), password=body.get("password"))
    return {"deletion_due_at": due}


@bp.post("/me/password")
@bp.arguments(NewPasswordBody)
@bp.response(204)
@bp.call(
    errors.InvalidCredentials,
    errors.PasswordRefused,
    errors.ReauthenticationRequired,
    errors.TooManyAttempts,
    errors.Busy,
)
def change_password(body: Body) -> None:
    """Change the password. Every other session of the account ends.

    Where the account has a second factor, it also needs a sign-in of the last ten minutes.
    """
    passwords.change_password(bearer.signed_in(), body["current_password"], body["new_password"], client_of(request))
