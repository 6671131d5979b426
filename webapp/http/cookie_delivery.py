"""The outcome of a sign-in becomes a cookie. The one place that knows in which order."""

from datetime import datetime, timedelta

from flask import Response, after_this_request, current_app, g, session, url_for
from flask_login import current_user
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response as BaseResponse

from webapp.http import cookie_sessions
from webapp.http.client import DEVICE_COOKIE_NAME, TRUST_COOKIE_NAME
from webapp.http.csrf import rotate_csrf
from webapp.http.identity import signed_in
from webapp.http.own_cookies import set_own_cookie
from webapp.http.redirects import safe_next, see_other
from webapp.services.login_sessions import replace_login_session
from webapp.services.sign_in import Pending, Started
from webapp.services.trusted_browsers import TRUST_LIFE

DEVICE_COOKIE_LIFE = timedelta(days=400)  # the most a browser grants (RFC 6265bis, section 5.5)
_FIRST_PROOF = "first_proof_at"
_AFTER_SET_UP = "after_set_up"
_STEP_HANDLE = "sign_in_step"
_STEP_NEXT = "sign_in_next"
_MAX_STEP_NEXT = 512  # bytes; a longer one would leave a visitor's cookie no room for the handle beside it


def deliver(outcome: Started | Pending, next_path: str | None) -> BaseResponse:
    """Sign the browser in and send it where it wanted to go; or send it to the step that comes before. After a step
    `next_path` is None: where it wanted to go was said before.
    """
    if isinstance(outcome, Pending):
        session[_STEP_HANDLE] = outcome.handle
        if next_path is not None:
            session[_STEP_NEXT] = _short(safe_next(next_path, default=""))
        return see_other(url_for(f"auth.{outcome.step}"))
    wanted = next_path or session.get(_STEP_NEXT)
    _sign_in(outcome)
    return see_other(safe_next(wanted, default=url_for("account.profile")))


def step_handle() -> str | None:
    """What this browser holds of a sign-in that is under way."""
    return session.get(_STEP_HANDLE)


def renew() -> None:
    """Change the id after a change of privilege; the old one is dead (ASVS 7.2.4)."""
    session.pop(_FIRST_PROOF, None)
    cookie_sessions.renew(session)
    rotate_csrf(session)
    generate_csrf()


def sign_out() -> None:
    """Take the signed-in cookie session from the browser and from the store."""
    cookie_sessions.end(session)
    rotate_csrf(session)
    g.pop("_login_user", None)

    @after_this_request
    def forget_pages(response: Response) -> Response:
        # What the browser kept of a signed-in person's pages goes too (ASVS 14.3.1).
        response.headers["Clear-Site-Data"] = '"cache"'
        return response


def remember_device(device: str) -> None:
    """Have the browser keep the secret by which it is known as one that signed in before. It grants nothing."""

    set_own_cookie(current_app.config[DEVICE_COOKIE_NAME], device, DEVICE_COOKIE_LIFE)


def trust_browser(secret: str) -> None:
    """Have the browser keep the secret by which the second factor is not asked for in it."""
    set_own_cookie(current_app.config[TRUST_COOKIE_NAME], secret, TRUST_LIFE)


def note_first_proof(at: datetime) -> None:
    """Keep, on the server, when whoever is signed in has shown the first of two factors again."""
    session[_FIRST_PROOF] = at.isoformat()


def first_proof_at() -> datetime | None:
    """When that was."""
    told = session.get(_FIRST_PROOF)
    return datetime.fromisoformat(told) if told else None


def note_set_up(next_path: str) -> None:
    """Keep where somebody wanted to go who has to set up a second factor first."""
    session[_AFTER_SET_UP] = _short(next_path)


def after_set_up() -> str:
    """Where that was; "" where nowhere."""
    return str(session.get(_AFTER_SET_UP, ""))


def forget_set_up() -> None:
    """They go on there now."""
    session.pop(_AFTER_SET_UP, None)


def _short(target: str) -> str:
    return target if len(target.encode()) <= _MAX_STEP_NEXT else ""


def _sign_in(started: Started) -> None:
    if current_user.is_authenticated:
        replace_login_session(signed_in())
    # Nothing of what stood in the bag before comes along, and the id is new: one that somebody planted in this
    # browser is worth nothing afterwards (session fixation, ASVS 7.2.4).
    keep_until = started.expires_at + cookie_sessions.ENDING_TOLD_FOR
    cookie_sessions.begin(session, keep_until=keep_until, persistent=started.persistent)
    rotate_csrf(session)
    session["_user_id"] = str(started.login_session_id)  # Flask-Login's name for what get_id() gives
    generate_csrf()  # now, so that the first page afterwards has nothing to write
    g.pop("_login_user", None)

    remember_device(started.device)
