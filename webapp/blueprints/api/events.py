"""What happened to the security of one's account."""

from typing import Any

from flask import after_this_request, url_for
from werkzeug.wrappers import Response

from webapp.blueprints.api.blueprint import bp
from webapp.blueprints.api.bodies import EventsQuery
from webapp.blueprints.api.replies import EventsReply
from webapp.http import bearer
from webapp.services.security_events import EventPage
from webapp.services.security_events import list_events as find_events


@bp.get("/events")
@bp.arguments(EventsQuery, location="query")
@bp.response(200, EventsReply)
@bp.call(takes_body=False)
def list_events(query: dict[str, Any]) -> Any:
    """The account's security activity, newest first, paged."""
    page = find_events(bearer.signed_in().user_id, before=query.get("before"), limit=query["limit"])
    _link_next(page, query["limit"])
    return {"events": page.events, "next": page.older}


def _link_next(page: EventPage, limit: int) -> None:
    if page.older is None:
        return
    target = url_for("api.list_events", before=page.older, limit=limit)

    @after_this_request
    def add_link(response: Response) -> Response:
        response.headers["Link"] = f'<{target}>; rel="next"'  # RFC 8288
        return response
