"""Where somebody is signed in, and what happened."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from webapp.blueprints.account.blueprint import bp
from webapp.blueprints.account.wording import event_sentence
from webapp.http import cookie_delivery
from webapp.http.access import fresh_sign_in
from webapp.http.client import client_of
from webapp.http.devices import local_device_name
from webapp.http.identity import signed_in
from webapp.http.redirects import see_other
from webapp.services.login_sessions import end_login_session, end_other_login_sessions, list_login_sessions
from webapp.services.not_me import report_not_me
from webapp.services.security_events import list_events


@dataclass(frozen=True)
class Place:
    """One line of the list of login sessions."""

    id: uuid.UUID
    kind: str
    current: bool
    device: str
    ip: str
    methods: list[str]
    created_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True)
class Line:
    """One line of the list of events."""

    sentence: str
    at: datetime
    device: str
    ip: str


@bp.get("/sessions")
def sessions() -> ResponseReturnValue:
    """Every place where this person is signed in, by browser and by app."""
    me = signed_in()
    places = [
        Place(
            id=row.id,
            kind=row.kind,
            current=row.id == me.login_session_id,
            device=row.device_name or local_device_name(row.user_agent),
            ip=row.ip,
            methods=row.methods.split(),
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
        )
        for row in list_login_sessions(me.user_id)
    ]
    places.sort(key=lambda place: not place.current)
    return render_template("account/sessions.html", sessions=places)


@bp.post("/sessions/<uuid:login_session_id>/revoke")
@fresh_sign_in
def revoke_session(login_session_id: uuid.UUID) -> ResponseReturnValue:
    """End one of one's own login sessions."""
    end_login_session(signed_in(), login_session_id, client_of(request))
    flash(gettext("The device was signed out."), "success")
    return see_other(url_for("account.sessions"))


@bp.post("/sessions/revoke-others")
@fresh_sign_in
def revoke_other_sessions() -> ResponseReturnValue:
    """End all of one's own login sessions but this."""
    ended = end_other_login_sessions(signed_in(), client_of(request))
    flash(ngettext("%(num)d device was signed out.", "%(num)d devices were signed out.", ended), "success")
    return see_other(url_for("account.sessions"))


@bp.get("/activity")
def activity() -> ResponseReturnValue:
    """The security log, newest first."""
    page = list_events(signed_in().user_id, before=request.args.get("before", type=uuid.UUID))
    lines = [
        Line(event_sentence(event.kind, event.details), event.at, local_device_name(event.user_agent), event.ip)
        for event in page.events
    ]
    older = url_for("account.activity", before=page.older) if page.older else None
    return render_template("account/activity.html", events=lines, older_url=older)


@bp.post("/activity/not-me")
def not_me() -> ResponseReturnValue:
    """Something was not this person: out with everybody, and a new password by mail."""
    me = signed_in()
    report_not_me(me, client_of(request))
    cookie_delivery.sign_out()
    return render_template(
        "auth/check_mail.html",
        heading=gettext("Every device was signed out"),
        email=me.email,
        what=gettext("The old password no longer works. Follow the link that we have sent to choose a new one."),
    )
