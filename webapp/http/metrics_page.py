"""The text that Prometheus reads, and who may: somebody on this machine, not by way of a proxy, or with the token."""

import hmac
import platform
from collections.abc import Iterator

from flask import Request
from prometheus_client import REGISTRY as OF_THIS_PROCESS
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from webapp.http.proxies import FORWARDED
from webapp.metrics import FOLDER
from webapp.services.operating_figures import outbox_figures
from webapp.settings import Settings, is_loopback

CONTENT_TYPE = CONTENT_TYPE_LATEST


def may_read_metrics(request: Request, settings: Settings) -> bool:
    """Behind a proxy on the same machine everybody's socket comes from loopback, so a request that was forwarded, or
    says so, needs the token.
    """
    if settings.METRICS_TOKEN and _shows(request, settings.METRICS_TOKEN):
        return True
    return is_loopback(request.remote_addr or "") and not request.environ.get(FORWARDED, False)


def metrics_text() -> bytes:
    """All figures of all workers."""
    registry = CollectorRegistry()
    registry.register(_Asked())
    if FOLDER:
        MultiProcessCollector(registry, FOLDER)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest(OF_THIS_PROCESS) + generate_latest(registry)


class _Asked(Collector):
    """What is asked for at the moment. A database that is away leaves its figures out, and no error."""

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("site_info", "Always 1.", labels=["python"])
        info.add_metric([platform.python_version()], 1)
        yield info
        try:
            found = outbox_figures()
        except SQLAlchemyError:
            return
        yield GaugeMetricFamily("site_outbox_waiting", "Mails that wait to be sent, counted to 1000.", found.waiting)
        oldest = "How long the oldest mail that waits has waited."
        yield GaugeMetricFamily("site_outbox_oldest_seconds", oldest, found.oldest_seconds)


def _shows(request: Request, token: str) -> bool:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())
