"""The mails of a development machine, and an app to try the API with. There are no such pages anywhere else."""

from pathlib import Path

from flask import Blueprint, Response, abort, make_response, render_template

from webapp.blueprints.dev import mailbox
from webapp.blueprints.dev.demo_spa import SignInFields, endings
from webapp.http.headers import PAGE_CSP
from webapp.services.runtime import runtime

bp = Blueprint("dev", __name__)

PAGE_POLICY = f"{PAGE_CSP}; frame-src 'self'"
# A mail carries its own style and nothing else. It runs in an origin of its own, and its links open in a new tab.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


@bp.get("/dev/mail")
def mail() -> str:
    """Every mail, newest first."""
    return render_template("dev/mail.html", messages=mailbox.list_mails(_directory()))


@bp.get("/dev/mail/<message_id>")
def mail_message(message_id: str) -> Response:
    """One mail: its text, and its HTML in a frame."""
    response = make_response(render_template("dev/mail_message.html", message=_get_mail(message_id)))
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


@bp.get("/dev/mail/<message_id>/html")
def mail_html(message_id: str) -> Response:
    """The HTML of one mail, for the frame."""
    html = _get_mail(message_id).html.replace("<head>", '<head><base target="_blank">', 1)
    response = make_response(html)
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@bp.get("/demo/spa")
def demo_spa() -> str:
    """An app in the browser that signs in through the API. What it does is in its script."""
    return render_template("dev/demo_spa.html", fields=SignInFields(), endings=endings())


def _get_mail(message_id: str) -> mailbox.WrittenMail:
    return mailbox.find_mail(_directory(), message_id) or abort(404)


def _directory() -> Path:
    return runtime().settings.mail_directory or abort(404)
