"""The profile."""

from flask import flash, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webapp.blueprints.account.blueprint import bp
from webapp.blueprints.account.forms import ProfileForm
from webapp.http.identity import signed_in
from webapp.http.locale import remember_locale
from webapp.http.redirects import see_other
from webapp.services.profile import change_profile


@bp.route("", methods=["GET", "POST"])
def profile() -> ResponseReturnValue:
    """Name and language."""
    me = signed_in()
    form = ProfileForm(name=me.name, locale=me.locale)
    if form.validate_on_submit():
        change_profile(me, name=form.name.data or "", locale=form.locale.data)
        response = see_other(url_for("account.profile"))
        remember_locale(response, form.locale.data)
        flash(gettext("Saved."), "success")
        return response
    return render_template("account/profile.html", form=form), 422 if form.is_submitted() else 200
