"""A cookie of ours that no script can read, sent back to every page: set with the answer to the present request."""

from datetime import timedelta

from flask import Response, after_this_request, current_app


def set_own_cookie(name: str, value: str, life: timedelta) -> None:
    """Have the browser keep `value` under `name` for that long; no time at all takes it away."""

    @after_this_request
    def set_cookie(response: Response) -> Response:
        response.set_cookie(
            name,
            value,
            max_age=life,
            path="/",
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
        return response
