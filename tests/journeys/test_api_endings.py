"""Every way that an app's session ends: from then on neither of its tokens is good, and the refusal says why."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine

from tests.apps import App, a_second_passes, mailed_token, problem, refusal, stop_the_clock
from tests.conftest import NewApp
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.rows import Rows
from webapp import clock
from webapp.models import User
from webapp.policy.login_sessions import MOST_A_USER, EndReason
from webapp.services import users

ALICE = "alice@example.com"


class Story:
    """Alice's phone, whose session is about to end, another app of hers and a browser; the site has two workers."""

    def __init__(self, new_app: NewApp, at: time_machine.Traveller) -> None:
        self.here, self.there = new_app(), new_app()
        for worker in (self.here, self.there):
            stop_the_clock(worker)
        self.at, self.rows, self.mailbox = at, Rows(self.here), Mailbox(self.here)
        self.phone, self.tablet, self.browser = App(self.here), App(self.here), Browser(self.here)
        self.phone.sign_in(ALICE)
        self.tablet.sign_in(ALICE)
        self.browser.sign_in(ALICE)

    @property
    def elsewhere(self) -> App:
        """The phone, whose next request another worker takes."""
        phone = App(self.there)
        phone.access_token, phone.refresh_token = self.phone.access_token, self.phone.refresh_token
        return phone

    def signed_out(self) -> None:
        self.phone.sign_out()

    def signed_out_by_refresh_token(self) -> None:
        self.phone.post("/auth/logout", {"refresh_token": self.phone.refresh_token}, token="")

    def signed_out_everywhere(self) -> None:
        self.phone.post("/auth/logout-all")

    def signed_out_everywhere_by_another_app(self) -> None:
        self.tablet.post("/auth/logout-all")

    def ended_from_another_app(self) -> None:
        self.tablet.call("DELETE", f"/sessions/{self.phone.session_id}")

    def ended_by_itself(self) -> None:
        self.phone.call("DELETE", f"/sessions/{self.phone.session_id}")

    def ended_from_the_page(self) -> None:
        self.browser.submit("/account/sessions", f"/account/sessions/{self.phone.session_id}/revoke")

    def others_ended_from_the_page(self) -> None:
        self.browser.submit("/account/sessions", "/account/sessions/revoke-others")

    def password_changed_by_another_app(self) -> None:
        self.tablet.post("/me/password", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})

    def password_changed_on_the_page(self) -> None:
        self.browser.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)

    def password_reset(self) -> None:
        self.phone.post("/auth/password/forgot", {"email": ALICE})
        body = {"token": mailed_token(self.here, ALICE, "/password/reset/"), "password": NEW_PASSWORD}
        self.phone.post("/auth/password/reset", body)

    def address_restored(self) -> None:
        self.browser.submit("/account/email", email="elsewhere@example.com")
        self.browser.submit(self.mailbox.link("elsewhere@example.com", "/email/confirm/"))
        self.browser.submit(self.mailbox.link(ALICE, "/email/undo/"))

    def not_me(self) -> None:
        self.browser.submit("/account/activity", "/account/activity/not-me")

    def deletion_by_the_app(self) -> None:
        self.phone.call("DELETE", "/me")

    def deletion_on_the_page(self) -> None:
        self.browser.submit("/account/data", "/account/data/delete")

    def disabled(self) -> None:
        with self.here.app_context():
            users.disable_user(ALICE)

    def signed_out_by_the_operator(self) -> None:
        with self.here.app_context():
            assert users.sign_out_user(ALICE) == 3

    def everybody_signed_out_by_the_operator(self) -> None:
        with self.here.app_context():
            assert users.sign_out_everybody() == 3

    def reuse(self) -> None:
        spent = self.phone.refresh_token
        for _ in range(2):
            self.phone.refresh()
        self.phone.refresh(spent)

    def too_many(self) -> None:
        self.at.shift(timedelta(minutes=1))
        self.rows.api_sessions(MOST_A_USER - 1)
        self.at.shift(timedelta(minutes=1))
        App(self.here).sign_in(ALICE)


ENDINGS: dict[Callable[[Story], None], EndReason] = {
    Story.signed_out: EndReason.SIGNED_OUT,
    Story.signed_out_by_refresh_token: EndReason.SIGNED_OUT,
    Story.signed_out_everywhere: EndReason.SIGNED_OUT,
    Story.signed_out_everywhere_by_another_app: EndReason.ENDED_BY_USER,
    Story.ended_from_another_app: EndReason.ENDED_BY_USER,
    Story.ended_by_itself: EndReason.SIGNED_OUT,
    Story.ended_from_the_page: EndReason.ENDED_BY_USER,
    Story.others_ended_from_the_page: EndReason.ENDED_BY_USER,
    Story.password_changed_by_another_app: EndReason.PASSWORD_CHANGED,
    Story.password_changed_on_the_page: EndReason.PASSWORD_CHANGED,
    Story.password_reset: EndReason.PASSWORD_RESET,
    Story.address_restored: EndReason.EMAIL_RESTORED,
    Story.not_me: EndReason.NOT_ME,
    Story.deletion_by_the_app: EndReason.DELETION,
    Story.deletion_on_the_page: EndReason.DELETION,
    Story.disabled: EndReason.DISABLED,
    Story.signed_out_by_the_operator: EndReason.OPERATOR,
    Story.everybody_signed_out_by_the_operator: EndReason.OPERATOR,
    Story.reuse: EndReason.REFRESH_REUSED,
    Story.too_many: EndReason.TOO_MANY,
}


@pytest.mark.asvs("7.4.1", "7.4.2", "7.4.3", "7.4.5", "10.4.9", "8.3.2")
@pytest.mark.parametrize("ending", ENDINGS, ids=[ending.__name__ for ending in ENDINGS])
def test_neither_token_is_good_any_more(
    new_app: NewApp, alice: str, at: time_machine.Traveller, ending: Callable[[Story], None]
) -> None:
    story, reason = Story(new_app, at), ENDINGS[ending]
    for phone in (story.phone, story.elsewhere):  # so that both workers have news of this second
        assert phone.get("/auth/session").status_code == 200
    ending(story)
    at_once = story.elsewhere.get("/me")
    assert refusal(at_once) == (401, "session_revoked"), "what is more than claims asks the row, on any worker"
    assert problem(at_once)["reason"] == reason
    if ending is not Story.everybody_signed_out_by_the_operator:
        assert refusal(story.phone.get("/auth/session")) == (401, "session_revoked"), "who ended it knows at once"
    for phone in (story.phone, story.elsewhere):
        refused = phone.refresh()
        assert refusal(refused) == (401, "session_revoked")
        assert problem(refused)["reason"] == reason
        a_second_passes(phone.app)
        refused = phone.get("/auth/session")
        assert refusal(refused) == (401, "session_revoked")
        assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]


def test_an_account_that_is_gone_has_no_tokens(new_app: NewApp, alice: str, at: time_machine.Traveller) -> None:
    """Deleted while a token was under way: the row that could say why is gone with the account."""
    story = Story(new_app, at)
    story.rows.delete(User, email=ALICE)
    for answer in (story.phone.get("/me"), story.phone.get("/sessions"), story.phone.refresh()):
        assert refusal(answer) == (401, "session_revoked")
        assert "reason" not in problem(answer)


def test_what_the_row_of_the_user_says_holds_at_the_next_call(
    new_app: NewApp, alice: str, at: time_machine.Traveller
) -> None:
    story = Story(new_app, at)
    story.rows.set(User, {"email": ALICE}, disabled_at=clock.now())
    refused = story.phone.get("/me")
    assert refusal(refused) == (401, "session_revoked")
    assert problem(refused)["reason"] == "disabled"
