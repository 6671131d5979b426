"""The page on which a person says who they are, or that they would rather not."""

import re
import time
from urllib.parse import urlencode

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from stand_in.authorization import AuthorizationRequest, NotOurs, Refused, read_authorization_request
from stand_in.browsers import SignedIn, new_browser
from stand_in.clients import form_targets
from stand_in.headers import policy_with_form
from stand_in.here import provider
from stand_in.people import Person, somebody_else

bp = Blueprint("pages", __name__)
_ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_SUB = re.compile(r"[!-~]{0,255}")  # OpenID Connect Core 1.0, section 2: at most 255 ASCII characters


class NotAPerson(Exception):
    """What is wrong with a field of the form."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@bp.errorhandler(NotOurs)
def not_ours(error: NotOurs) -> tuple[str, int]:
    """A page and never a redirect: who asks may be anybody."""
    return render_template("message.html", title="This request cannot be answered", text=str(error)), 400


@bp.errorhandler(Refused)
def refused(error: Refused) -> AnyResponse:
    """Back to the client with the error."""
    return redirect(provider().refuse(error), 303)


@bp.get("/authorize")
def authorize() -> AnyResponse:
    """OpenID Connect Core 1.0, section 3.1.2."""
    asked = read_authorization_request(request.args, provider().clients)
    if "none" in asked.prompts:
        signed_in = _signed_in()
        if signed_in is None or asked.needs_sign_in(signed_in.at, _now()):
            raise Refused(asked.redirect_uri, asked.state, "login_required", "nobody is signed in, or too long ago")
        return redirect(provider().allow(asked, signed_in), 303)
    return _page(asked)


@bp.post("/choose")
def choose() -> AnyResponse:
    """The answer to the page."""
    asked = provider().browsers.answered(request.form.get("page", ""), _browser())
    if asked is None:
        raise NotOurs("This page is too old, was answered already, or belongs to another browser.")
    if "cancel" in request.form:
        raise Refused(asked.redirect_uri, asked.state, "access_denied", "the person cancelled")
    try:
        person = _chosen()
    except NotAPerson as error:
        return _page(asked, complaint=error)
    return redirect(provider().allow(asked, _sign_in(asked, person)), 303)


def _sign_in(asked: AuthorizationRequest, person: Person) -> SignedIn:
    """Somebody who is signed in and need not do so again keeps the time of their sign-in."""
    before = _signed_in()
    if before is not None and before.person == person and not asked.needs_sign_in(before.at, _now()):
        return before
    return provider().browsers.sign_in(_browser() or "", person)


def _chosen() -> Person:
    """The person of the button, or of the form. Raises NotAPerson."""
    sub = request.form.get("person", "")
    remembered = _signed_in()
    if remembered is not None and remembered.person.sub == sub:
        return remembered.person
    if sub:
        if sub not in provider().people:
            raise NotAPerson("email", "Nobody here is that person: say who it is.")
        return provider().people[sub]
    email, own_sub = request.form.get("email", "").strip(), request.form.get("sub", "").strip()
    if not _ADDRESS.fullmatch(email):
        raise NotAPerson("email", "An address looks like name@example.com.")
    if not _SUB.fullmatch(own_sub):
        raise NotAPerson("sub", "An identifier is made of letters, digits and signs of ASCII, without spaces.")
    name = request.form.get("name", "").strip()[:200]
    return somebody_else(email, name, email_verified="email_verified" in request.form, sub=own_sub)


def _page(asked: AuthorizationRequest, *, complaint: NotAPerson | None = None) -> AnyResponse:
    browser, remembered = _browser() or new_browser(), _signed_in()
    again = remembered is not None and asked.needs_sign_in(remembered.at, _now())
    hinted = _hinted(asked.login_hint)
    others = hinted is not None and remembered is not None and hinted != remembered.person
    one_click = not (again or others or complaint or asked.prompts & {"select_account"})
    response = make_response(
        render_template(
            "choose.html",
            asked=asked,
            page=provider().browsers.wait(browser, asked),
            remembered=remembered.person if remembered else None,
            one_click=one_click and remembered is not None,
            again=again,
            people=_listed(hinted, remembered),
            hint="" if hinted else asked.login_hint,
            another=_another_account(),
            told=_told(asked),
            complaint=complaint,
            form=request.form,
        ),
        422 if complaint else 200,
    )
    response.headers["Content-Security-Policy"] = policy_with_form(form_targets(asked.redirect_uri, asked.client))
    response.set_cookie(provider().cookie_name, browser, httponly=True, samesite="Lax")
    return response


def _told(asked: AuthorizationRequest) -> str:
    """What the client learns and may do, in words."""
    words = {"email": "your address", "profile": "your name, picture and language"}
    learned = [words[scope] for scope in words if scope in asked.scopes] or ["who you are"]
    further = [scope for scope in asked.scopes if scope not in ("openid", "offline_access", *words)]
    sentences = [f"{asked.client.name} learns {', '.join(learned)}."]
    sentences += [f"It may use {', '.join(further)}."] if further else []
    sentences += ["It may come back without you."] if asked.offline else []
    return " ".join(sentences)


def _listed(hinted: Person | None, remembered: SignedIn | None) -> list[Person]:
    """Everybody, whoever is most likely meant first."""
    likely = [person for person in (hinted, remembered.person if remembered else None) if person is not None]
    return list({person.sub: person for person in [*likely, *provider().people.values()]}.values())


def _hinted(hint: str) -> Person | None:
    people = [*provider().people.values(), *([signed_in.person] if (signed_in := _signed_in()) else [])]
    return next((person for person in people if hint and hint.lower() in (person.email.lower(), person.sub)), None)


def _another_account() -> str:
    """The same request, with the wish to choose."""
    prompts = {*request.args.get("prompt", "").split(), "select_account"} - {"none"}
    query = request.args.to_dict() | {"prompt": " ".join(sorted(prompts))}
    return f"{url_for('pages.authorize')}?{urlencode(query)}"


def _browser() -> str | None:
    return request.cookies.get(provider().cookie_name)


def _signed_in() -> SignedIn | None:
    return provider().browsers.signed_in(_browser())


def _now() -> int:
    return int(time.time())
