"""The API against its own document: what the document allows is answered as it says, what it forbids is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
import werkzeug
from flask import Flask
from schemathesis.engine import events, from_schema
from schemathesis.python import wsgi

from tests.blueprints.api.calls import REDIRECT_URI
from tests.conftest import NewApp
from tests.providers.lying import LyingProvider
from tests.providers.site import google_settings
from tests.rows import on_sqlite
from webapp.models import LoginSession, User
from webapp.services.access_tokens import Subject
from webapp.services.signing_keys import current_key
from webapp.services.tokens import issue_tokens

if TYPE_CHECKING:
    from tests.rows import Rows

CHECKS = {
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
    "object_level_authorization",
    "use_after_free",
    "ensure_resource_availability",
}
ANSWERED = ["2xx", "401", "403", "404"]  # whose password, whose token, whose session: no schema knows
CONFIG = {
    # The same cases every time; how many of them by chance, beside those that are made on purpose.
    "generation": {"deterministic": True, "max-examples": 6},
    "checks": {"positive_data_acceptance": {"expected-statuses": ANSWERED}},
    "operations": [
        {
            # Any text may be a token; that it opens nothing, or nothing any more, is found out by looking it up.
            "include-operation-id": "verify_email",
            "checks": {"positive_data_acceptance": {"expected-statuses": [*ANSWERED, "400", "410"]}},
        },
        {
            # As above, and the new password is judged: by its length, by lists, by what it has to do with its owner.
            "include-operation-id": "reset_password",
            "checks": {"positive_data_acceptance": {"expected-statuses": [*ANSWERED, "400", "410", "422"]}},
        },
        {
            # The new password is judged; and that mail can be sent to an address is more than its format says.
            "include-operation-id": ["register", "change_password"],
            "checks": {"positive_data_acceptance": {"expected-statuses": [*ANSWERED, "422"]}},
        },
        {
            # A credential is whatever its standard makes of it, but no text in it may be one that nobody can type, and
            # it may not be too deep. The password is needed but for a passkey. No list of members can say that.
            "include-operation-id": ["pass_second_factor", "sign_in_with_passkey", "reauthenticate"],
            "checks": {"positive_data_acceptance": {"expected-statuses": [*ANSWERED, "400", "422"]}},
        },
        {
            # Which addresses apps wait at is the site's to say.
            "include-operation-id": "authorize",
            "checks": {"positive_data_acceptance": {"expected-statuses": ["302", "422"]}},
        },
        {
            "include-operation-id": "exchange_code",
            "checks": {"positive_data_acceptance": {"expected-statuses": [*ANSWERED, "400"]}},
        },
    ],
}


class InProcess(werkzeug.Client):
    """Calls the application without a network. Some checks hand on settings of one, which there is no place for."""

    def open(
        self, *args: Any, max_redirects: Any = None, verify: Any = None, cert: Any = None, **kwargs: Any
    ) -> werkzeug.test.TestResponse:
        return super().open(*args, **kwargs)


@pytest.fixture
def app(new_app: NewApp, provider: LyingProvider) -> Flask:
    """Without limits: in a minute there are more attempts than an honest app makes in a year."""
    return new_app(RATELIMIT_ENABLED=False, **google_settings(provider), API_REDIRECT_URIS=REDIRECT_URI)


@pytest.fixture
def schema(app: Flask, rows: Rows, alice: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The document, and for each case Alice as she was at first, with a sign-in that no other case has ended."""
    monkeypatch.setattr(wsgi, "get_client", InProcess)
    document = app.test_client().get("/api/v1/openapi.json").json
    for reply in document["components"]["schemas"].values():
        reply.setdefault("additionalProperties", False)  # what the document leaves open for later nothing may fill yet
    loaded = schemathesis.openapi.from_dict(document, config=schemathesis.Config.from_dict(CONFIG))
    loaded.app = app
    user = rows.user()

    @loaded.auth(refresh_interval=None)
    class FreshSignIn:
        def get(self, case: Any, context: Any) -> str:
            rows.set(User, {"id": user.id}, password_hash=user.password_hash, deletion_due_at=None)
            rows.delete(LoginSession, user_id=user.id)
            row = rows.api_session(generation=1)
            with app.app_context():
                subject = Subject(user.id, row.id, row.auth_time, ("pwd",))
                return issue_tokens(current_key(), subject, generation=1, expires_at=row.expires_at).access_token

        def set(self, case: Any, data: str, context: Any) -> None:
            case.headers["Authorization"] = f"Bearer {data}"

    return loaded


@on_sqlite
@pytest.mark.asvs("15.3.1")
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
def test_the_api_keeps_its_document(schema: Any) -> None:
    run: Counter[str] = Counter()
    wrong: list[str] = []
    called: set[str] = set()
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            wrong.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.ScenarioFinished):
            called |= {event.recorder.label} if event.recorder.interactions else set()
            for name, failure in checked(event):
                run[name] += 1
                wrong += [f"{event.recorder.label}: {name}: {failure}"] if failure else []
    assert wrong == []
    assert set(run) == CHECKS
    assert min(run.values()) > 100
    assert called == {operation.ok().label for operation in schema.get_all_operations()}


def checked(event: events.ScenarioFinished) -> Iterator[tuple[str, str]]:
    """Each check that was made, and what it found, if anything."""
    for checks in event.recorder.checks.values():
        for check in checks:
            found = check.failure_info
            yield check.name, f"{found.failure}\n{found.code_sample}" if found else ""
