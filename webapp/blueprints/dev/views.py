"""The mails of a development machine. `create_app` registers this blueprint there and nowhere else."""

from pathlib import Path

from flask import Blueprint, Response, abort, make_response, render_template

from webapp.blueprints.dev import mailbox
from webapp.http.headers import PAGE_CSP
from webapp.services.runtime import runtime

bp = Blueprint("dev", __name__, url_prefix="/dev")

PAGE_POLICY = f"{PAGE_CSP}; frame-src 'self'"
# A mail carries its own style and nothing else. It runs in an origin of its own, and its links open in a new tab.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


@bp.get("/mail")
def mail() -> str:
    """Every mail, newest first."""
    return render_template("dev/mail.html", messages=mailbox.list_mails(_directory()))


@bp.get("/mail/<message_id>")
def mail_message(message_id: str) -> Response:
    """One mail: its text, and its HTML in a frame."""
    response = make_response(render_template("dev/mail_message.html", message=_get_mail(message_id)))
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


@bp.get("/mail/<message_id>/html")
def mail_html(message_id: str) -> Response:
    """The HTML of one mail, for the frame."""
    html = _get_mail(message_id).html.replace("<head>", '<head><base target="_blank">', 1)
    response = make_response(html)
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _get_mail(message_id: str) -> mailbox.WrittenMail:
    return mailbox.find_mail(_directory(), message_id) or abort(404)


def _directory() -> Path:
    return runtime().settings.mail_directory or abort(404)
