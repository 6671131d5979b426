"""How gunicorn serves the site: `gunicorn wsgi:app` reads this file by itself.

BIND            where to listen; default: the host and port of a loopback http PUBLIC_URL, else 127.0.0.1:8000
WEB_CONCURRENCY worker processes, default 2
THREADS         threads in each worker, default 8
ANNOUNCE        1 (as `make run` sets it): say where the site and the mails are, and log warnings only
"""

import atexit
import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent))


_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library's own name for it


def _folder_for_figures() -> None:
    """Where the workers count for /metrics: an empty folder for each master, gone with it. Before all imports of ours:
    the library looks for it when it is imported.
    """
    master = os.getpid()
    ours = f"site-metrics-{master}-"
    if Path(os.environ.get(_FOLDER, "")).name.startswith(ours):  # the configuration is read anew, as at SIGHUP
        return
    folder = os.environ[_FOLDER] = tempfile.mkdtemp(prefix=ours)
    atexit.register(lambda: os.getpid() == master and shutil.rmtree(folder, ignore_errors=True))


_folder_for_figures()

from webapp.gateways.mail_transport import transport_for  # noqa: E402
from webapp.settings import Settings, SettingsError  # noqa: E402


def _validated_settings() -> Settings:
    """The settings, checked once before any worker is forked. A bad one ends the start with one line."""
    try:
        settings = Settings.from_env()
        transport_for(settings)  # takes MAIL_URL apart, and connects nowhere
        return settings
    except SettingsError as error:
        sys.exit(f"Not started, the settings are wrong: {error}")


def _default_bind(public_url: str) -> str:
    parts = urlsplit(public_url)
    if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"):
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"{host}:{parts.port or 80}"
    return "127.0.0.1:8000"


_settings = _validated_settings()
_announce = os.environ.get("ANNOUNCE") == "1"

wsgi_app = "wsgi:app"
bind = os.environ.get("BIND") or _default_bind(_settings.PUBLIC_URL)
chdir = str(Path(__file__).resolve().parent)

# Threads: password hashing and database waits let go of the interpreter's lock, so other requests go on meanwhile.
worker_class = "webapp.http.prompt_worker.PromptWorker"  # gthread that waits for no visitor without end
workers = _settings.WEB_CONCURRENCY
threads = _settings.THREADS
preload_app = False  # nothing opened before the fork may be used after it
max_requests = 0  # with gthread a restart resets kept-alive connections

timeout = 30  # seconds a worker may be silent before it is replaced
graceful_timeout = 20  # seconds to finish requests under way
keepalive = 5  # seconds

limit_request_line = 4094  # bytes
limit_request_fields = 64
limit_request_field_size = 8190  # bytes

# The heartbeat file on a disk can stall a worker; memory cannot.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  (a directory, not a file name)

# Whom to believe about address and scheme is decided in one place, by TRUSTED_PROXIES in the application. gunicorn
# would by itself believe X-Forwarded-Proto and SCRIPT_NAME of anyone on loopback or a unix socket.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

control_socket_disable = True  # its thread does not survive a fork well
accesslog = None  # the application logs requests itself, with their id and without their secrets
loglevel = "warning" if _announce else "info"


def post_worker_init(worker: Any) -> None:
    """Mails that wait from before a restart leave without waiting for the first request."""
    from webapp.http import background  # here: nothing of the application is opened before the fork

    background.ensure_started(worker.wsgi)
    # What the application is made of stays: two hundred thousand objects, which the collector would look through now
    # and then, and hold up every thread for fifty milliseconds.
    gc.collect()
    gc.freeze()


def worker_exit(_server: object, worker: Any) -> None:
    """A mail under way is finished before the worker ends."""
    if getattr(worker, "wsgi", None) is None:  # the application could not be loaded, or this is the master
        return
    from webapp.http import background

    background.stop(worker.wsgi)


def child_exit(_server: object, worker: Any) -> None:
    """What a worker that is gone was doing is not being done; what it has counted stays."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def when_ready(_server: object) -> None:
    """Tell a newcomer where to go."""
    if not _announce:
        return
    print(f"\n  The site:   {_settings.PUBLIC_URL}", file=sys.stderr)
    if _settings.mail_directory is not None:
        also = f", and at {_settings.PUBLIC_URL}/dev/mail" if _settings.APP_ENV == "development" else ""
        print(f"  Its mails:  {_settings.mail_directory}{also}", file=sys.stderr)
    if _settings.APP_ENV == "development":
        print(f"  Its API:    {_settings.PUBLIC_URL}/api/v1/docs", file=sys.stderr)
        print(f"  An app:     {_settings.PUBLIC_URL}/demo/spa", file=sys.stderr)
    if any(provider.is_stand_in for provider in _settings.providers):
        print(f"  Google:     a stand-in at {_settings.STAND_IN_PROVIDER_URL}, with people to try", file=sys.stderr)
    print("  Stop it with Ctrl-C\n", file=sys.stderr, flush=True)
