"""Who is behind a request with a cookie: Flask-Login asks, the login session's row answers."""

import uuid
from datetime import datetime
from typing import cast

from flask import flash, request, session
from flask_login import UserMixin, current_user

from webapp.errors import NotSignedIn
from webapp.extensions import login_manager
from webapp.http.client import ip_of
from webapp.http.cookie_sessions import end
from webapp.http.locale import use_user_locale
from webapp.http.log_context import bind_log_context
from webapp.http.words import END_REASONS, WARNINGS
from webapp.services.login_sessions import Over, SignedIn, resume_login_session, take_warning


class CurrentUser(UserMixin):
    """What templates and views see as `current_user`."""

    is_authenticated = True

    def __init__(self, signed_in: SignedIn) -> None:
        self.signed_in = signed_in

    def get_id(self) -> str:
        """The login session's id, not the user's: ending the row ends the sign-in, whatever cookie is replayed."""
        return str(self.signed_in.login_session_id)

    @property
    def email(self) -> str:
        """The address of the account."""
        return self.signed_in.email

    @property
    def name(self) -> str:
        """What the person wants to be called; may be empty."""
        return self.signed_in.name

    @property
    def locale(self) -> str:
        """The language of pages and mails."""
        return self.signed_in.locale

    @property
    def created_at(self) -> datetime:
        """When the account was made."""
        return self.signed_in.created_at

    @property
    def has_factor(self) -> bool:
        """Whether the account has a second factor."""
        return self.signed_in.has_factor

    @property
    def has_password(self) -> bool:
        """Whether there is a password; who came with a provider has none at first."""
        return self.signed_in.password_changed_at is not None

    @property
    def password_changed_at(self) -> datetime | None:
        """When the password was chosen."""
        return self.signed_in.password_changed_at


@login_manager.user_loader
def load_current_user(login_session_id: str) -> CurrentUser | None:
    """Resume the login session that the cookie session names. Where it is over, the browser's bag goes, and the
    person is told why, once.
    """
    row_id = _uuid(login_session_id)
    visit = Over(None) if row_id is None else resume_login_session(row_id, ip_of(request))
    if isinstance(visit, Over):
        end(session)
        if visit.reason in END_REASONS:
            flash(END_REASONS[visit.reason], "info")
        return None
    use_user_locale(visit.locale)
    if visit.warning is not None and (told := take_warning(visit)) in WARNINGS:
        flash(WARNINGS[told], "warning")
    bind_log_context(user_id=str(visit.user_id))
    return CurrentUser(visit)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def signed_in() -> SignedIn:
    """Who is signed in. Raises NotSignedIn."""
    if not current_user.is_authenticated:
        raise NotSignedIn
    return cast(CurrentUser, current_user).signed_in
