"""How a way to a provider and back begins and ends in the browser."""

from flask import current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from webapp.http import cookie_delivery, handshake
from webapp.http.client import client_of
from webapp.http.headers import hide_path_from_referrers
from webapp.http.redirects import safe_next, see_other
from webapp.http.request_checks import API_PREFIX
from webapp.provider_settings import LOOPBACK
from webapp.services import authorization, sign_in
from webapp.services.authorization import Errand
from webapp.services.federation import BackToApp, Ending, Linked, News, ProvenAgain, SignedInBy, SignedInToLink


def leave(provider: str, errand: Errand) -> ResponseReturnValue:
    """Send the browser to a provider. By the name that it comes back to: under another, its cookie would be missing."""
    if _is_alias():
        return _page_on_the_way(current_app.config["PUBLIC_URL"] + url_for("auth.login", next=errand.next_path or None))
    departure = authorization.send_to_provider(provider, errand, handshake.browser_secret(), client_of(request))
    handshake.keep_browser_secret(departure.browser)
    if departure.leads_elsewhere:  # a form may not lead there by itself (CSP form-action), a page that is opened may
        return _page_on_the_way(departure.url)
    return see_other(departure.url)


def deliver(ending: Ending) -> ResponseReturnValue:
    """Where the browser goes once its person is back. Away from this address at once (RFC 9700, section 4.2.4)."""
    if isinstance(ending, BackToApp):
        return redirect(ending.url, 303)
    if isinstance(ending, SignedInBy):
        return _signed_in(ending)
    if isinstance(ending, Linked):
        flash(_linked(ending), "success")
    if isinstance(ending, ProvenAgain):
        if not ending.in_full:
            cookie_delivery.note_first_proof(ending.at)
            next_path = safe_next(ending.next_path, default="") or None
            return see_other(url_for("auth.reauthenticate_factor", next=next_path))
        cookie_delivery.renew()
    return see_other(safe_next(ending.next_path, default=url_for("federation.connections")))


def go_on(signed_in: SignedInToLink, provider: str, label: str, next_path: str) -> ResponseReturnValue:
    """Whoever has signed in to the account that was there goes on: to where they wanted, or first to a step."""
    if not signed_in.linked:
        return cookie_delivery.deliver(
            signed_in.outcome, url_for("federation.connect", provider=provider, next=next_path)
        )
    handshake.forget_offer()
    response = cookie_delivery.deliver(signed_in.outcome, next_path)
    if next_path.startswith(API_PREFIX):  # an app waits behind the provider, and no form may lead there by itself
        return _page_on_the_way(next_path)
    flash(gettext("%(provider)s is connected.", provider=label), "success")
    return response


def _signed_in(ending: SignedInBy) -> ResponseReturnValue:
    next_path = ending.next_path
    if ending.news in (News.WELCOME, News.TAKEN_OVER):
        next_path = url_for("federation.welcome", next=next_path or None)
    response = cookie_delivery.deliver(ending.outcome, next_path)
    if isinstance(ending.outcome, sign_in.Started):
        _tell(ending)
    return response


def _tell(ending: SignedInBy) -> None:
    if ending.news is News.TAKEN_OVER:
        told = gettext("Somebody had registered this address without confirming it. All of that was removed.")
        flash(told, "info")
    elif ending.news is News.LINKED:
        flash(gettext("%(provider)s is now connected to your account.", provider=ending.label), "success")
    elif ending.news is News.ADDRESS_MOVED:
        told = gettext(
            "Your address at %(provider)s has changed. Here it stays as it is. “Connected accounts” can change it.",
            provider=ending.label,
        )
        flash(told, "info")


def _linked(ending: Linked) -> str:
    if ending.is_new:
        return str(gettext("%(provider)s is connected.", provider=ending.label))
    return str(gettext("%(provider)s was connected before.", provider=ending.label))


def _is_alias() -> bool:
    """Whether a site on this machine is visited as localhost though its name is the address, or the other way round."""
    public_host, host = current_app.config["PUBLIC_HOST"], request.host.rpartition(":")[0] or request.host
    return public_host in LOOPBACK and host in LOOPBACK and host != public_host


def _page_on_the_way(url: str) -> ResponseReturnValue:
    response = make_response(render_template("federation/on_the_way.html", url=url))
    return hide_path_from_referrers(response)
