"""Where one is signed in, on the web and in apps."""

import uuid
from typing import Any

from flask import request

from webapp import errors
from webapp.blueprints.api.blueprint import bp
from webapp.blueprints.api.replies import SessionReply
from webapp.http import bearer
from webapp.http.client import client_of
from webapp.services import login_sessions


@bp.get("/sessions")
@bp.response(200, SessionReply(many=True))
@bp.call(takes_body=False)
def list_sessions() -> Any:
    """Every place where the person is signed in, the one seen last first."""
    me = bearer.signed_in()
    return [
        {
            "id": row.id,
            "kind": row.kind,
            "current": row.id == me.login_session_id,
            "created_at": row.created_at,
            "last_seen_at": row.last_seen_at,
            "ip": row.ip,
            "user_agent": row.user_agent,
            "device_name": row.device_name,
            "methods": row.methods.split(),
        }
        for row in login_sessions.list_login_sessions(me.user_id)
    ]


@bp.delete("/sessions/<uuid:login_session_id>")
@bp.response(204)
@bp.call(errors.NotFound, errors.ReauthenticationRequired, takes_body=False)
def end_session(login_session_id: uuid.UUID) -> None:
    """End one of one's own sessions. Another than this one: with a sign-in of the last ten minutes."""
    login_sessions.end_own_login_session(bearer.signed_in(), login_session_id, client_of(request))
