"""The site's own pages without anything that a sign-in needs: no session, no user, no form token, no hook at all.

What is left is Flask, the view's form and the template. The difference to the real page is what signing in costs.
"""

from flask import Flask, render_template
from flask.sessions import SessionInterface

from webapp import clock, create_app
from webapp.blueprints.account.forms import ProfileForm
from webapp.blueprints.auth.forms import LoginForm
from webapp.http.browser_session import UnopenedSession
from webapp.http.identity import CurrentUser
from webapp.ids import new_id
from webapp.services.login_sessions import SignedIn
from webapp.settings import Settings

TOKEN = "IjE1NDBmNmI0YzQ1ZDQ2NzFiY2U0MTk5NGI3NmUwZTQ1ZGIyZjQ2NzAi.aSbF0g.Yk3nF8vKQ0y8Zr4mJb5H7wX1c2E"  # as long as one


class _NoSession(SessionInterface):
    null_session_class = UnopenedSession

    def open_session(self, app: Flask, request: object) -> None:
        return None

    def save_session(self, app: Flask, session: object, response: object) -> None:
        return None


def _stripped() -> Flask:
    app = create_app(Settings.from_env())
    app.wsgi_app = Flask.wsgi_app.__get__(app)  # type: ignore[method-assign]
    for hooks in (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs):
        hooks.clear()
    app.teardown_appcontext_funcs.clear()
    app.session_interface = _NoSession()
    app.config["WTF_CSRF_ENABLED"] = False
    now = clock.now()
    nobody = SignedIn(
        new_id(), new_id(), "bench@example.com", "Bench", "en", now, ("pwd",), False, now, now, True, None
    )
    app.jinja_env.globals["current_user"] = CurrentUser(nobody)
    app.jinja_env.globals["csrf_token"] = lambda: TOKEN
    app.jinja_env.globals["get_flashed_messages"] = lambda **_: []
    return app


app = _stripped()


@app.get("/stripped/account")
def account() -> str:
    """The profile of somebody who is always the same."""
    return render_template("account/profile.html", form=ProfileForm(name="Bench", locale="en"))


@app.get("/stripped/login")
def login() -> str:
    """The sign-in page."""
    return render_template("auth/login.html", form=LoginForm(next=""))
