"""What `make run` starts: the stand-in and gunicorn beside it. Somebody signs in through it with plain requests."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from stand_in.people import GMAIL, UNVERIFIED, Person
from tests.providers.client import PATIENCE
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess
from tests.servers.site import KEPT_FROM_OUTSIDE, PROJECT_ROOT

# As with `python -m`, which looks in the working directory; servers of tests are started without one.
BESIDE = f"import sys; sys.path.insert(0, {str(PROJECT_ROOT)!r}); from stand_in.__main__ import main; sys.exit(main())"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator["RunningSite"]:
    """A site with nothing but the stand-in, on ports of its own."""
    running = RunningSite(tmp_path_factory.mktemp("make-run"), migrated_sqlite)
    running.process.start()
    yield running
    running.process.stop()


class RunningSite:
    """The site as scripts/run.sh starts it once the database is up to date."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.instance = folder
        shutil.copyfile(migrated, folder / "app.db")
        outside = {name: os.environ[name] for name in KEPT_FROM_OUTSIDE if name in os.environ}
        ours = {
            "PUBLIC_URL": self.url,
            "STAND_IN_PORT": "0",
            "INSTANCE_PATH": str(folder),
            "DATABASE_URL": f"sqlite:///{folder / 'app.db'}",
            "MAIL_URL": f"file:{folder / 'mail'}",
            "WEB_CONCURRENCY": "1",
            "ANNOUNCE": "1",
        }
        gunicorn = [sys.executable, "-m", "gunicorn", "--config", PROJECT_ROOT / "gunicorn.conf.py", "wsgi:app"]
        self.process = ServerProcess(
            [sys.executable, "-c", BESIDE, "--", *gunicorn],
            log=folder / "log",
            is_ready=self._answers,
            environment={**outside, **ours},
        )

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Accept-Language"] = "en"
        yield session


def open_page(browser: requests.Session, url: str) -> requests.Response:
    return browser.get(url, allow_redirects=False, timeout=PATIENCE)


def press(browser: requests.Session, page: requests.Response, action: str, **fields: str) -> requests.Response:
    """Send the form of a page that goes to `action`, with its hidden fields."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', page.text, re.DOTALL)
    assert form, page.text
    hidden = dict(re.findall(r'name="([a-z_]+)"[^>]*value="([^"]*)"', form[1]))
    to = "/".join(page.url.split("/")[:3]) + action
    return browser.post(to, {**hidden, **fields}, allow_redirects=False, timeout=PATIENCE)


def come_back_as(browser: requests.Session, site: RunningSite, person: Person) -> requests.Response:
    """Press the button on the sign-in page, choose a person at the stand-in, and come back; the site's answer."""
    left = press(browser, open_page(browser, f"{site.url}/login"), "/login/google")
    assert left.status_code == 303
    chooser = open_page(browser, left.headers["Location"])
    page = re.search(r'name="page" value="([^"]+)"', chooser.text)
    assert page, chooser.text
    there = "{0.scheme}://{0.netloc}/choose".format(urlsplit(chooser.url))
    chosen = browser.post(there, {"page": page[1], "person": person.sub}, allow_redirects=False, timeout=PATIENCE)
    assert chosen.headers["Location"].startswith(f"{site.url}/login/google/callback?")
    return open_page(browser, chosen.headers["Location"])


def test_somebody_signs_in_through_the_stand_in(site: RunningSite, browser: requests.Session) -> None:
    assert "stand-in" in open_page(browser, f"{site.url}/login").text
    answer = come_back_as(browser, site, GMAIL)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/welcome")
    assert GMAIL.email in open_page(browser, f"{site.url}/account").text
    browser.cookies.clear()
    assert open_page(browser, f"{site.url}/account").status_code == 303
    assert come_back_as(browser, site, GMAIL).headers["Location"] == "/account"


def test_somebody_whose_address_is_not_confirmed_there_is_told_what_to_do(
    site: RunningSite, browser: requests.Session
) -> None:
    answer = come_back_as(browser, site, UNVERIFIED)
    assert answer.status_code == 403
    assert "/register" in answer.text


def test_the_newcomer_is_told_where_everything_is(site: RunningSite) -> None:
    told = site.process.log_text
    assert f"The site:   {site.url}" in told
    assert re.search(r"Google: +a stand-in at http://127\.0\.0\.1:\d+", told)
