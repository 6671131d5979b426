"""Where the time of a call goes, in this process and one thread, without gunicorn: `make bench-inside`.

On SQLite, in microseconds of processor time: the best of many rounds, since what else the machine does only adds; and
of whole calls what they take after a rest, as a worker has between its requests.
"""

import argparse
import io
import json
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextvars import Context
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask, current_app, jsonify, request
from sqlalchemy import bindparam, select

from bench.report import replace_part
from bench.sites import application
from tests.people import PASSWORD, runtime_of
from webapp import clock
from webapp.blueprints.api.replies import MeReply
from webapp.http.client import client_of
from webapp.models import LoginSession, User
from webapp.services import login_sessions, tokens
from webapp.services.client import Client
from webapp.services.hashing import PasswordHashing
from webapp.services.tokens import SignedInByApi
from webapp.services.transaction import transaction

CLIENT = Client(ip="127.0.0.1", user_agent="bench")
EMAIL = "bench@example.com"


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this document")
    output = parser.parse_args().write
    with application() as app:
        _add_person(app)
        phone = _signed_in()
        rows = [*_calls(app, phone, best), *_parts(app, phone), *_around_a_hash(phone)]
        rows += [(f"{name}, after a rest", cost) for name, cost in _calls(app, _signed_in(), rested)]
    lines = [f"| {name} | {cost:.0f} |" for name, cost in rows]
    table = "\n".join(["| what | µs |", "| --- | --- |", *lines])
    print(table)
    if output is not None:
        replace_part(output, "inside", table)


def best(work: Callable[[], object], *, before: Callable[[], object] | None = None, rounds: int = 300) -> float:
    """The least that it took, in microseconds; `before` is done each time, and not counted."""
    least = float("inf")
    for _ in range(rounds):
        if before is not None:
            before()
        began = time.thread_time()
        work()
        least = min(least, time.thread_time() - began)
    return least * 1e6


def rested(work: Callable[[], object]) -> float:
    """The median of what it took after two milliseconds of sleep, in microseconds: caches have gone cold."""
    costs = []
    for _ in range(200):
        time.sleep(0.002)
        began = time.thread_time()
        work()
        costs.append(time.thread_time() - began)
    return statistics.median(costs) * 1e6


def _add_person(app: Flask) -> None:
    now = clock.now()
    columns = {"email": EMAIL, "email_key": EMAIL, "name": "Bench", "created_at": now, "email_verified_at": now}
    with transaction() as tx:
        tx.add(User(**columns, password_hash=runtime_of(app).hashing.hash(PASSWORD), password_changed_at=now))


def _signed_in() -> SignedInByApi:
    return tokens.sign_in_with_password(EMAIL, PASSWORD, CLIENT, device_name=None, refresh_transport="body")


def _calls(
    app: Flask, phone: SignedInByApi, measure: Callable[[Callable[[], object]], float]
) -> Iterator[tuple[str, float]]:
    """Whole calls, from WSGI to the last byte, and bare Flask."""
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {phone.tokens.access_token}"}
    bare = Flask("bare")
    answer = json.loads(_call(app, "GET", "/api/v1/auth/session", bearer))
    bare.get("/session")(lambda: jsonify(answer))
    yield "bare Flask JSON, whole", measure(lambda: _call(bare, "GET", "/session", {}))
    yield "token call, stateless, whole", measure(lambda: _call(app, "GET", "/api/v1/auth/session", bearer))
    yield "token call with user, whole", measure(lambda: _call(app, "GET", "/api/v1/me", bearer))
    current = [phone.tokens.refresh_token]

    def refresh() -> None:
        answer = _call(app, "POST", "/api/v1/auth/refresh", {}, {"refresh_token": current[0]})
        current[0] = json.loads(answer)["refresh_token"]

    yield "refresh, whole", measure(refresh)


def _call(app: Flask, method: str, path: str, headers: dict[str, str], body: Any = None) -> bytes:
    raw = b"" if body is None else json.dumps(body).encode()
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "HTTP_HOST": "127.0.0.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(raw),
        "wsgi.errors": sys.stderr,
        **({"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(raw))} if raw else {}),
        **headers,
    }
    told: list[str] = []

    def start(status: str, *_: object) -> None:
        told.append(status)

    # As in a worker: what is around here is an application's context, in which a request would keep what it learned.
    answer = Context().run(lambda: b"".join(app.wsgi_app(environ, start)))  # type: ignore[arg-type]
    assert told == ["200 OK"], answer
    return answer


def _parts(app: Flask, phone: SignedInByApi) -> Iterator[tuple[str, float]]:
    runtime, raw = runtime_of(app), phone.tokens.access_token
    sid = uuid.UUID(str(phone.tokens.session_id))
    two = select(LoginSession.id, User.email).join(User, User.id == LoginSession.user_id)
    two = two.where(LoginSession.id == bindparam("login_session_id"))
    me = login_sessions.resume_login_session(sid, CLIENT.ip)
    reply = MeReply()
    yield "an access token that was seen before", best(lambda: tokens.verify_access_token(raw))
    yield "a refresh token read", best(lambda: runtime.refresh_tokens.verify(phone.tokens.refresh_token))
    with runtime.single.connect() as connection:
        yield "one statement of two columns", best(lambda: connection.execute(two, {"login_session_id": sid}).first())
        wide = login_sessions._RESUME
        yield "… of seventeen", best(lambda: connection.execute(wide, {"login_session_id": sid}).first())
    yield (
        "… with its connection, and what becomes of it",
        best(lambda: login_sessions.resume_login_session(sid, CLIENT.ip)),
    )
    with current_app.test_request_context():
        yield "the account as plain values", best(lambda: reply.dump(me))
        yield "and as JSON", best(lambda: jsonify(reply.dump(me)))
        yield "who is calling, with cookies and user agent", best(lambda: client_of(request))


def _around_a_hash(phone: SignedInByApi) -> Iterator[tuple[str, float]]:
    """What comes right after a hash finds the processor's caches full of it."""
    costly = PasswordHashing(time_cost=2, memory_kib=19456, parallelism=1, concurrency=1)
    known = costly.hash(PASSWORD)

    at_home = replace(CLIENT, device=phone.device)  # a device that is known, so that no mail tells of it

    def sign_in() -> None:
        tokens.sign_in_with_password(EMAIL, PASSWORD, at_home, device_name=None, refresh_transport="body")

    yield "an Argon2id hash", best(lambda: costly.verify(known, PASSWORD), rounds=20)
    yield "a sign-in with a hash that costs nothing", best(sign_in, rounds=60)
    yield "… right after an Argon2id hash", best(sign_in, before=lambda: costly.verify(known, PASSWORD), rounds=60)


if __name__ == "__main__":
    sys.exit(main())
