"""What is counted of the site, for Prometheus: families only, each named and explained once (docs/observability.md).

No label holds anything that somebody sent: endpoints, doors, verdicts and events are names in our code. Under gunicorn
every worker writes into files that `/metrics` adds up (PROMETHEUS_MULTIPROC_DIR, see gunicorn.conf.py).
"""

import os
from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")  # as the library found it, which looks once, too
BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5)  # seconds

REQUESTS = Histogram("site_request_seconds", "Time to answer, by endpoint.", ("endpoint", "status"), buckets=BUCKETS)
SIGN_INS = Counter(
    "site_sign_ins", "Proofs that were right, by how it was proven and what came of it.", ("door", "outcome")
)
EVENTS = Counter("site_security_events", "Lines of the security log, by event.", ("event",))
REFRESHES = Counter("site_refreshes", "Refresh tokens shown, by verdict.", ("verdict",))
STORES_DOWN = Counter("site_store_failures", "Requests refused because a store did not answer.")
BUSY = Counter("site_busy_refusals", "Requests refused because no place for a hash was free in time.")
HASHES = Gauge(
    "site_hashes", "Hashes of passwords, waiting for a place and under way.", ("state",), multiprocess_mode="livesum"
)
REVOKED = Gauge(
    "site_revoked_sessions", "Ended sessions whose access tokens a worker refuses.", multiprocess_mode="livemax"
)
REVOCATION_READ = Gauge(
    "site_revocation_read_timestamp_seconds",
    "When the worker that is furthest behind last read which sessions were ended.",
    ("set",),  # with a label, nothing is told of a worker that has read nothing yet, nor of gunicorn's master
    multiprocess_mode="livemin",
)
REVOCATION_FAILURES = Counter("site_revocation_failures", "Readings of what was ended that failed.")
CONNECTIONS = Gauge(
    "site_pool_connections",
    "Database connections that requests use, and may use at most.",
    ("state",),
    multiprocess_mode="livesum",
)
MAILS = Counter("site_mails", "Mails that left the outbox, or were tried in vain.", ("outcome",))
REMOVED = Counter("site_rows_removed", "Rows that housekeeping removed, by what they were.", ("what",))
BACKGROUND_TURN = Gauge(
    "site_background_turn_timestamp_seconds",
    "When the background thread that is furthest behind last went round.",
    ("thread",),  # as above
    multiprocess_mode="livemin",
)


@lru_cache(maxsize=1024)  # endpoints are as many as there are in the code
def _of_endpoint(endpoint: str, status: str) -> Histogram:
    return REQUESTS.labels(endpoint, status)


def note_request(endpoint: str | None, status: int, seconds: float) -> None:
    """Count an answer. Without an endpoint there was no such address, or nothing that can be read as one. An answer of
    500 is a mistake of ours, and no other one is: it is told apart.
    """
    _of_endpoint(endpoint or "none", "500" if status == 500 else f"{status // 100}xx").observe(seconds)


@lru_cache(maxsize=1024)
def _of_event(event: str) -> Counter:
    return EVENTS.labels(event)


def note_event(event: str) -> None:
    """Count a line of the security log."""
    _of_event(event).inc()
