"""Taking one's data along, and leaving."""

import json

from flask import Response, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_date, gettext

from webapp.blueprints.account.blueprint import bp
from webapp.blueprints.account.forms import ConfirmForm
from webapp.http import cookie_delivery
from webapp.http.access import fresh_sign_in
from webapp.http.client import client_of
from webapp.http.identity import signed_in
from webapp.http.redirects import see_other
from webapp.services.account_data import export_account
from webapp.services.account_deletion import schedule_deletion


@bp.get("/data")
def data() -> ResponseReturnValue:
    """What one can do with everything held about oneself."""
    return render_template("account/data.html", form=ConfirmForm())


@bp.post("/data/export")
@fresh_sign_in
def export() -> ResponseReturnValue:
    """Everything held about this person, as one file."""
    held = export_account(signed_in(), client_of(request))
    response = Response(json.dumps(held, ensure_ascii=False, indent=2), content_type="application/json; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="account-data.json"'
    return response


@bp.post("/data/delete")
@fresh_sign_in
def delete() -> ResponseReturnValue:
    """Delete the account after the waiting time."""
    due = schedule_deletion(signed_in(), client_of(request))
    cookie_delivery.sign_out()
    flash(
        gettext(
            "You are signed out. Your account will be deleted on %(date)s. Sign in before then if you want to keep it.",
            date=format_date(due, "long"),
        ),
        "success",
    )
    return see_other(url_for("home.index"))
