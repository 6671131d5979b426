"""What a provider's news about an account there means for the one here."""

import pytest

from webapp.policy.cross_account import Reaction, judge_event

RISC = "https://schemas.openid.net/secevent/risc/event-type/"
OAUTH = "https://schemas.openid.net/secevent/oauth/event-type/"
ALL_OUT = {Reaction.END_SESSIONS, Reaction.BLOCK, Reaction.DROP_GRANT}


@pytest.mark.parametrize(
    ("event_type", "reason", "reactions"),
    [
        (RISC + "sessions-revoked", None, {Reaction.END_SESSIONS}),
        (OAUTH + "tokens-revoked", None, {Reaction.END_OWN_SESSIONS, Reaction.DROP_GRANT}),
        (OAUTH + "token-revoked", None, {Reaction.NOTE}),
        (RISC + "account-disabled", "hijacking", ALL_OUT),
        (RISC + "account-disabled", None, ALL_OUT),
        (RISC + "account-disabled", "something new", ALL_OUT),
        (RISC + "account-disabled", "bulk-account", {Reaction.NOTE}),
        (RISC + "account-enabled", None, {Reaction.UNBLOCK}),
        (RISC + "account-enabled", "bulk-account", {Reaction.UNBLOCK}),
        (RISC + "account-purged", None, {Reaction.END_OWN_SESSIONS, Reaction.BLOCK, Reaction.DROP_GRANT}),
        (RISC + "account-credential-change-required", None, {Reaction.WARN}),
        (RISC + "verification", None, {Reaction.NOTE}),
        (RISC + "something-new", "hijacking", set()),
        (OAUTH + "sessions-revoked", None, set()),
        ("sessions-revoked", None, set()),
        ("", None, set()),
    ],
)
def test_each_event_has_its_reactions_and_an_unknown_one_has_none(
    event_type: str, reason: str | None, reactions: set[Reaction]
) -> None:
    assert judge_event(event_type, reason) == reactions
