"""Where a provider tells us that somebody's account there is in danger (RFC 8935)."""

from flask import Response, abort, jsonify, make_response, request

from webapp.blueprints.federation.blueprint import bp
from webapp.errors import EventRefused
from webapp.http.client import client_of
from webapp.http.request_checks import EVENT_TYPE, EVENTS_PATH
from webapp.services.cross_account import receive_events


@bp.post(EVENTS_PATH)
def events() -> Response:
    """Take a security event token. 202 once what follows from it is done."""
    if request.mimetype != EVENT_TYPE:
        abort(415)
    receive_events(request.get_data(as_text=True), client_of(request))
    return make_response("", 202)


@bp.errorhandler(EventRefused)
def refuse_event(error: EventRefused) -> tuple[Response, int]:
    """RFC 8935, section 2.3: which of its errors it is."""
    return jsonify(err=error.details["err"], description="This is not a security event token for this site."), 400
