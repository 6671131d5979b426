"""What takes long takes it from nobody else: hashing has its places, mails have their thread."""

import runpy
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from gunicorn.util import load_class
from gunicorn.workers.gthread import ThreadWorker

from tests.conftest import NewApp, NewUser
from tests.mail_server import running_mail_server
from tests.people import PASSWORD, Browser, runtime_of
from tests.servers.process import wait_until
from tests.servers.site import PROJECT_ROOT
from webapp.http import background

AT_ONCE = 1.0  # seconds, on a machine that has other things to do


@pytest.mark.asvs("15.4.4", "15.2.2")
def test_with_every_hashing_place_taken_and_the_mail_server_silent_other_pages_answer(
    new_app: NewApp, new_user: NewUser
) -> None:
    email = new_user()
    with running_mail_server() as mail_server, ThreadPoolExecutor(1) as pool:
        mail_server.holds.set()
        app = new_app(MAIL_URL=mail_server.url, ARGON2_CONCURRENCY=1)
        runtime_of(app).hashing._longest_wait = 20  # seconds: this is not about who waits too long
        background.install_background(app)  # begins to send with the first request
        signed_in, visitor, waiting = Browser(app), Browser(app), Browser(app)
        signed_in.sign_in(email)
        visitor.submit("/password/forgot", email=email)
        wait_until(mail_server.at_data.is_set)  # the sender has its message half out, and gets no answer
        with runtime_of(app).hashing._place():
            held_up = pool.submit(waiting.sign_in, email)
            began = time.monotonic()
            for page in ("/", "/login", "/healthz", "/readyz"):
                assert visitor.get(page).status_code == 200
            assert signed_in.get("/account").status_code == 200
            assert signed_in.submit("/account", name="Alice", locale="en").status_code == 303
            assert visitor.submit("/password/forgot", email=email).status_code == 200
            assert time.monotonic() - began < 7 * AT_ONCE
            assert not held_up.done()
        assert held_up.result(20).status_code == 303
        mail_server.holds.clear()
        background.stop(app)


@pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
@pytest.mark.asvs("15.2.2")
def test_who_finds_no_hashing_place_in_time_is_told_to_try_again(new_app: NewApp, alice: str) -> None:
    app = new_app(ARGON2_CONCURRENCY=1)
    hashing, browser = runtime_of(app).hashing, Browser(app)
    hashing._longest_wait = 0.1
    with hashing._place():
        answer = browser.sign_in(alice, PASSWORD)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert not browser.is_signed_in
    assert browser.sign_in(alice, PASSWORD).status_code == 303


@pytest.mark.asvs("15.4.4")
def test_gunicorn_has_threads_that_a_wait_does_not_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "k" * 32)
    configuration = runpy.run_path(str(PROJECT_ROOT / "gunicorn.conf.py"))
    assert issubclass(load_class(configuration["worker_class"]), ThreadWorker)
    assert configuration["threads"] == 8
    assert configuration["workers"] == 2
    assert (configuration["timeout"], configuration["graceful_timeout"], configuration["keepalive"]) == (30, 20, 5)
