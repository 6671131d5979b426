"""What may come between a proof and being signed in: a second factor, or the question whether to keep the account."""

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webapp.blueprints.auth.blueprint import bp
from webapp.blueprints.auth.forms import ConfirmForm, SecondFactorForm
from webapp.http import cookie_delivery
from webapp.http.client import client_of
from webapp.http.credentials import answer_of
from webapp.services import sign_in_steps
from webapp.services.client import Client
from webapp.services.sign_in_steps import Step


@bp.route("/login/verify", methods=["GET", "POST"])
def second_factor() -> ResponseReturnValue:
    """A step of signing in: the second factor."""
    step = sign_in_steps.find_step(cookie_delivery.step_handle())
    if step is None or step.step is not Step.SECOND_FACTOR:
        return redirect(url_for("auth.login"))
    form = SecondFactorForm(method=request.args.get("method", next(iter(step.methods), "")))
    if form.validate_on_submit() and (done := form.showing(_pass_second_factor, form, client_of(request))):
        if done.value.trust is not None:
            cookie_delivery.trust_browser(done.value.trust)
        return cookie_delivery.deliver(done.value.outcome, None)
    page = render_template("auth/second_factor.html", form=form, methods=step.methods)
    return page, 422 if form.is_submitted() else 200


@bp.get("/login/verify/passkey")
def second_factor_options() -> ResponseReturnValue:
    """What the browser needs to show a passkey as the second factor."""
    step = sign_in_steps.find_step(cookie_delivery.step_handle())
    if step is None or step.step is not Step.SECOND_FACTOR:
        return redirect(url_for("auth.login"))
    return jsonify(sign_in_steps.factor_options(cookie_delivery.step_handle()))


@bp.route("/login/keep", methods=["GET", "POST"])
def keep_account() -> ResponseReturnValue:
    """A step of signing in: the account is about to be deleted, unless its owner keeps it now."""
    step = sign_in_steps.find_step(cookie_delivery.step_handle())
    if step is None or step.step is not Step.KEEP_ACCOUNT:
        return redirect(url_for("auth.login"))
    form = ConfirmForm()
    if form.validate_on_submit() and (
        done := form.showing(sign_in_steps.keep_account, cookie_delivery.step_handle(), client_of(request))
    ):
        response = cookie_delivery.deliver(done.value, None)
        flash(gettext("Good to have you back. Your account will not be deleted."), "success")
        return response
    page = render_template("auth/keep_account.html", form=form, deletion_due_at=step.deletion_due_at)
    return page, 422 if form.is_submitted() else 200


def _pass_second_factor(form: SecondFactorForm, client: Client) -> sign_in_steps.Passed:
    handle = cookie_delivery.step_handle()
    return sign_in_steps.pass_second_factor(handle, answer_of(form), client, trust=form.trust.data)
