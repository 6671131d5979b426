"""The pages of the small sites: each does one thing to the session."""

from flask import Blueprint, current_app, flash, get_flashed_messages, redirect, request, session
from sqlalchemy import Column, MetaData, String, Table, insert
from werkzeug.wrappers import Response

notes = Table("notes", MetaData(), Column("text", String(50)))
pages = Blueprint("pages", __name__)


@pages.get("/plain")
@pages.get("/healthz")
def plain() -> str:
    return "nothing about anybody"


@pages.get("/whoami")
def whoami() -> str:
    return str(session.get("user", "nobody"))


@pages.get("/form")
@pages.get("/api/v1/form")
def form() -> str:
    return str(session.setdefault("csrf_token", "a secret of this form"))


@pages.post("/sign-in")
def sign_in() -> Response:
    current_app.extensions["site"].sign_in()
    session["user"] = "alice"
    current_app.extensions["site"].during_slow()
    return redirect("/whoami", 303)


@pages.post("/sign-out")
def sign_out() -> str:
    current_app.extensions["site"].sign_out()
    if "farewell" in request.form:
        flash(request.form["farewell"])
    return "signed out"


@pages.post("/renew")
def renew() -> str:
    current_app.extensions["site"].renew()
    current_app.extensions["site"].during_slow()
    return "renewed"


@pages.post("/clear")
def clear() -> str:
    session.clear()
    return "cleared"


@pages.post("/clear-and-renew")
def clear_and_renew() -> str:
    session.clear()
    current_app.extensions["site"].renew()
    session["user"] = "bob"
    return "cleared and renewed"


@pages.post("/keep")
def keep() -> str:
    session.update(request.form.to_dict())
    current_app.extensions["site"].during_slow()
    return "kept"


@pages.post("/keep-and-fail")
def keep_and_fail() -> str:
    session.update(request.form.to_dict())
    raise RuntimeError("in the middle of it")


@pages.post("/forget")
def forget() -> str:
    session.pop(request.form["key"], None)
    return "forgotten"


@pages.post("/append")
def append() -> str:
    session.setdefault("list", []).append("one more")
    return "appended"


@pages.get("/list")
def show_list() -> list[str]:
    return list(session.get("list", []))


@pages.post("/flash")
def leave_message() -> str:
    flash(request.form["message"], "info")
    return "flashed"


@pages.get("/messages")
def messages() -> list[str]:
    return [str(message) for message in get_flashed_messages()]


@pages.post("/half-work")
def half_work() -> str:
    site = current_app.extensions["site"]
    site.database.session.execute(insert(notes).values(text="half-done"))
    if "sign_in" in request.form:
        site.sign_in()
    session["seen"] = "yes"
    if "fail" in request.form:
        raise RuntimeError("in the middle of it")
    return "half done"
