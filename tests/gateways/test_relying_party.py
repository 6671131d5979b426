"""The way to a provider and back: what is asked for, what is believed of the answer, and how often anybody is asked."""

import base64
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest

from stand_in.people import COMPANY, GMAIL, KOREAN
from tests.gateways.at_a_provider import bring_code, new_handshake, relying_party, shown, sign_in
from tests.providers import faults
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from webapp.errors import ProviderAnswerRefused, ProviderUnavailable
from webapp.gateways.relying_party import LONGEST_CODE, LONGEST_TOKEN, Handshake, RelyingParty
from webapp.provider_settings import GOOGLE_METADATA_URL


@pytest.fixture
def party(provider: LyingProvider) -> RelyingParty:
    return relying_party(provider)


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, keep_blank_values=True)


# There


@pytest.mark.asvs("10.2.1", "10.2.3")
def test_the_request_asks_for_what_is_needed_and_nothing_more(provider: LyingProvider, party: RelyingParty) -> None:
    handshake = new_handshake()
    url = party.authorization_url(handshake)
    assert url.startswith(f"{provider.issuer}/authorize?")
    challenge = query_of(url).pop("code_challenge")
    assert query_of(url) == {
        "response_type": ["code"],
        "client_id": [provider.client_id],
        "redirect_uri": [provider.redirect_uri],
        "scope": ["openid email profile"],
        "state": [handshake.state],
        "nonce": [handshake.nonce],
        "code_challenge": challenge,
        "code_challenge_method": ["S256"],
    }
    assert handshake.code_verifier not in url


@pytest.mark.asvs("10.2.3")
def test_more_is_asked_for_only_where_the_settings_say_so(provider: LyingProvider) -> None:
    scopes = ("https://www.googleapis.com/auth/calendar.readonly",)
    asked = query_of(relying_party(provider, extra_scopes=scopes).authorization_url(new_handshake()))
    assert asked["scope"] == [f"openid email profile {scopes[0]}"]
    assert asked["access_type"] == ["offline"]


@pytest.mark.asvs("10.2.2")
def test_each_provider_has_a_way_back_of_its_own(provider: LyingProvider, other_provider: LyingProvider) -> None:
    assert relying_party(provider).redirect_uri == "http://127.0.0.1:8000/login/google/callback"
    assert relying_party(other_provider, name="acme").redirect_uri == "http://127.0.0.1:8000/login/acme/callback"


def test_an_endpoint_keeps_the_query_it_has(provider: LyingProvider, party: RelyingParty) -> None:
    provider.lie.metadata["authorization_endpoint"] = f"{provider.issuer}/authorize?tenant=1"
    asked = query_of(party.authorization_url(new_handshake()))
    assert asked["tenant"] == ["1"]
    assert asked["client_id"] == [provider.client_id]


def test_nothing_is_asked_before_somebody_wants_to_sign_in(provider: LyingProvider, party: RelyingParty) -> None:
    assert party.form_origin == provider.issuer
    assert provider.received == []


# Back


def test_the_first_sign_in_asks_three_times_and_every_other_once(provider: LyingProvider, party: RelyingParty) -> None:
    for asked in (["metadata", "token", "keys"], ["token"], ["token"]):
        provider.received.clear()
        sign_in(provider, party=party)
        assert [r.endpoint for r in provider.received if r.endpoint not in ("authorize", "choose")] == asked


def test_somebody_is_proven_with_all_that_is_said_of_them(provider: LyingProvider) -> None:
    proven = sign_in(provider, COMPANY)
    assert (proven.issuer, proven.subject) == (provider.issuer, COMPANY.sub)
    assert (proven.email, proven.email_verified, proven.hosted_domain) == (COMPANY.email, True, COMPANY.hd)
    assert (proven.name, proven.picture_url) == (COMPANY.name, provider.picture(COMPANY))
    assert proven.auth_time is not None
    assert sign_in(provider, KOREAN).locale == "ko"


def test_two_tabs_at_once_do_not_mix(provider: LyingProvider, party: RelyingParty) -> None:
    tabs = [(new_handshake(), person) for person in (GMAIL, COMPANY)]
    codes = [bring_code(party, provider, handshake, person)["code"] for handshake, person in tabs]
    for (handshake, person), code in reversed(list(zip(tabs, codes, strict=True))):
        assert party.exchange(code, handshake).subject == person.sub


@pytest.mark.asvs("10.2.2")
@pytest.mark.parametrize("knows_the_provider", [True, False])
@pytest.mark.parametrize(
    "told",
    [
        pytest.param("https://evil.example", id="another"),
        pytest.param(None, id="missing although it is announced"),
        pytest.param("", id="empty"),
        pytest.param("{issuer}/", id="with a slash"),
        pytest.param("{issuer} ", id="with a blank"),
    ],
)
def test_the_answer_of_another_issuer_is_refused(
    provider: LyingProvider, party: RelyingParty, knows_the_provider: bool, told: str | None
) -> None:
    if knows_the_provider:
        party.authorization_url(new_handshake())
    with pytest.raises(ProviderAnswerRefused) as refused:
        party.check_response_issuer(told and told.format(issuer=provider.issuer))
    assert refused.value.details == {"reason": "response_iss"}
    assert {request.endpoint for request in provider.received} == {"metadata"}


def test_an_answer_may_name_no_issuer_where_none_is_announced(provider: LyingProvider, party: RelyingParty) -> None:
    provider.lie.metadata["authorization_response_iss_parameter_supported"] = REMOVED
    party.check_response_issuer(None)
    party.check_response_issuer(provider.issuer)
    with pytest.raises(ProviderAnswerRefused):
        party.check_response_issuer("https://evil.example")


def test_the_answer_of_an_issuer_is_judged_while_it_is_away(provider: LyingProvider, party: RelyingParty) -> None:
    provider.lie.answers["metadata"] = faults.failing()
    with pytest.raises(ProviderUnavailable):
        party.check_response_issuer(provider.issuer)


# The code


@pytest.mark.asvs("10.2.1")
def test_a_code_is_worth_nothing_without_the_verifier_of_its_start(
    provider: LyingProvider, party: RelyingParty
) -> None:
    mine, theirs = new_handshake(), new_handshake()
    code = bring_code(party, provider, theirs)["code"]
    with pytest.raises(ProviderAnswerRefused) as refused:
        party.exchange(code, Handshake(theirs.state, theirs.nonce, mine.code_verifier))
    assert refused.value.details == {"reason": "invalid_grant"}


def test_a_code_works_once(provider: LyingProvider, party: RelyingParty) -> None:
    handshake = new_handshake()
    code = bring_code(party, provider, handshake)["code"]
    party.exchange(code, handshake)
    with pytest.raises(ProviderAnswerRefused) as refused:
        party.exchange(code, handshake)
    assert refused.value.details == {"reason": "invalid_grant"}


@pytest.mark.parametrize("code", ["", "x" * (LONGEST_CODE + 1)], ids=["empty", "long"])
def test_what_is_no_code_goes_nowhere(provider: LyingProvider, party: RelyingParty, code: str) -> None:
    with pytest.raises(ProviderAnswerRefused):
        party.exchange(code, new_handshake())
    assert provider.received == []


@pytest.mark.parametrize("code", ["%zz", "a&grant_type=password", "a b+c", "\x00", "한글", "x" * LONGEST_CODE])
def test_a_code_reaches_the_provider_as_it_came(provider: LyingProvider, party: RelyingParty, code: str) -> None:
    with pytest.raises(ProviderAnswerRefused):
        party.exchange(code, new_handshake())
    assert provider.asked("token")[0].form["code"] == code
    assert provider.asked("token")[0].form["grant_type"] == "authorization_code"


@pytest.mark.parametrize("error", ["invalid_client", "invalid_request", "<script>", "", None, 5, ["invalid_grant"]])
@pytest.mark.parametrize("status", [200, 400, 401])
def test_an_error_of_the_token_endpoint_is_a_refusal(
    provider: LyingProvider, party: RelyingParty, error: object, status: int
) -> None:
    provider.lie.answers["token"] = faults.json({"error": error}, status)
    with pytest.raises(ProviderAnswerRefused) as refused:
        sign_in(provider, party=party)
    assert refused.value.details == {"reason": "token_error"}


@pytest.mark.parametrize(
    "answer",
    [
        *({"access_token": value} for value in (REMOVED, None, "", 5, ["x"], "a\nb", "ü", "x" * (LONGEST_TOKEN + 1))),
        *({"token_type": value} for value in (REMOVED, None, "", "mac", "DPoP", 5, ["Bearer"])),
    ],
    ids=shown,
)
def test_an_answer_without_a_bearer_token_is_refused(provider: LyingProvider, answer: dict[str, Any]) -> None:
    provider.lie.token |= answer
    with pytest.raises((ProviderAnswerRefused, ProviderUnavailable)):
        sign_in(provider)


@pytest.mark.parametrize(
    "life",
    [REMOVED, None, 0, -1, True, [], {}, "3599", 10**30, float("inf"), float("nan"), "soon"],
    ids=shown,
)
def test_an_odd_life_of_the_access_token_breaks_nothing(provider: LyingProvider, life: object) -> None:
    provider.lie.token["expires_in"] = life
    try:
        tokens = sign_in(provider).tokens
    except ProviderUnavailable:
        return
    assert tokens is not None


# Who we are


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_secret_of_any_characters_reaches_the_provider(provider: LyingProvider, method: str) -> None:
    secret = "a+b/c=d:e f%41&g~ü한"
    provider.clients[provider.client_id] = replace(provider.client, secret=secret)
    provider.lie.metadata["token_endpoint_auth_methods_supported"] = [method]
    assert sign_in(provider, client_secret=secret).subject == GMAIL.sub
    asked = provider.asked("token")[0]
    if method == "client_secret_post":
        assert "Authorization" not in asked.headers
        assert (asked.form["client_id"], asked.form["client_secret"]) == (provider.client_id, secret)
    else:
        shown = base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode()
        assert shown == f"{provider.client_id}:{quote_plus(secret)}"
        assert "client_secret" not in asked.form


def test_a_client_without_a_secret_says_only_its_name(provider: LyingProvider) -> None:
    with pytest.raises(ProviderAnswerRefused):  # the provider wants one
        sign_in(provider, client_secret="")
    asked = provider.asked("token")[0]
    assert asked.form["client_id"] == provider.client_id
    assert "client_secret" not in asked.form
    assert "Authorization" not in asked.headers


# UserInfo


def test_an_address_that_the_id_token_lacks_is_asked_for(provider: LyingProvider) -> None:
    provider.lie.claims |= {"email": REMOVED, "email_verified": REMOVED, "name": REMOVED}
    proven = sign_in(provider)
    assert (proven.email, proven.email_verified, proven.name) == (GMAIL.email, True, GMAIL.name)
    (asked,) = provider.asked("userinfo")
    assert asked.headers["Authorization"].startswith("Bearer ")
    assert asked.args == {}


@pytest.mark.parametrize("sub", ["another", REMOVED, None, [GMAIL.sub], int(GMAIL.sub), f"{GMAIL.sub} ", ""], ids=shown)
def test_what_is_said_of_somebody_else_is_refused(provider: LyingProvider, sub: object) -> None:
    provider.lie.claims["email"] = REMOVED
    provider.lie.userinfo["sub"] = sub
    with pytest.raises(ProviderAnswerRefused) as refused:
        sign_in(provider)
    assert refused.value.details == {"reason": "userinfo_sub"}


def test_whether_an_address_is_verified_is_said_by_who_says_the_address(provider: LyingProvider) -> None:
    provider.lie.claims["email"] = REMOVED  # and `email_verified` stays
    provider.lie.userinfo["email_verified"] = REMOVED
    assert sign_in(provider).email_verified is False


def test_userinfo_changes_nobody(provider: LyingProvider) -> None:
    provider.lie.claims["email"] = REMOVED
    provider.lie.userinfo |= {"iss": "https://evil.example", "auth_time": 1, "nonce": "x"}
    proven = sign_in(provider)
    assert (proven.issuer, proven.subject) == (provider.issuer, GMAIL.sub)
    assert proven.auth_time is not None
    assert proven.auth_time.year > 1970


def test_a_provider_without_userinfo_says_no_address(provider: LyingProvider) -> None:
    provider.lie.claims["email"] = REMOVED
    provider.lie.metadata["userinfo_endpoint"] = REMOVED
    assert sign_in(provider).email is None


# Google


def test_google_may_call_itself_by_its_name_alone(provider: LyingProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    google = GOOGLE_METADATA_URL.partition("/.well-known")[0]
    provider.lie.metadata["issuer"] = google
    provider.lie.claims["iss"] = "accounts.google.com"
    party = relying_party(provider)
    monkeypatch.setattr(party._metadata, "_issuer", google)
    assert party.identify(provider.id_token(nonce="n"), "n").issuer == google
