"""What this is, for whoever comes by."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

bp = Blueprint("home", __name__)


@bp.get("/")
def index() -> ResponseReturnValue:
    """Say what this is; who is signed in goes on to their account."""
    if current_user.is_authenticated:
        return redirect(url_for("account.profile"))
    return render_template("home/index.html")
