"""What Prometheus reads: only for those who may, and without a word that anybody sent."""

import json
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.asvs.documents import name, table
from tests.conftest import NewApp, NewBrowser
from tests.people import Browser
from tests.rows import on_sqlite
from tests.source import ROOT
from webapp import metrics
from webapp.policy.rotation import Verdict as RefreshVerdict
from webapp.policy.sign_in import Verdict as SignInVerdict

TOKEN = "a-token-of-thirty-two-characters"
DOCUMENT = ROOT / "docs" / "observability.md"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
_METRIC = re.compile(r"\bsite_[a-z_]+\b")


def samples_of(app: Flask) -> list[Sample]:
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    return [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]


def ours(app: Flask) -> list[Sample]:
    return [sample for sample in samples_of(app) if sample.name.startswith("site_")]


def statuses(app: Flask, **environ: str) -> int:
    return app.test_client().get("/metrics", environ_overrides=environ).status_code


@on_sqlite
@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "203.0.113.7"}, 404),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 404),
        ({"HTTP_FORWARDED": "for=127.0.0.1"}, 404),
        ({"HTTP_VIA": "1.1 proxy"}, 404),
        ({"HTTP_X_REAL_IP": "127.0.0.1"}, 404),
    ],
)
def test_without_a_token_only_this_machine_reads_it_and_not_through_a_proxy(
    new_app: NewApp, environ: dict[str, str], status: int
) -> None:
    for proxies in (0, 1):
        assert statuses(new_app(TRUSTED_PROXIES=proxies), **environ) == status, proxies


@on_sqlite
def test_with_the_token_it_is_read_from_anywhere_and_with_another_from_nowhere_else(new_app: NewApp) -> None:
    app = new_app(METRICS_TOKEN=TOKEN)
    far = {"REMOTE_ADDR": "203.0.113.7"}
    assert statuses(app, **far, HTTP_AUTHORIZATION=f"Bearer {TOKEN}") == 200
    assert statuses(app, **far, HTTP_AUTHORIZATION=f"bearer {TOKEN}") == 200
    for wrong in ("", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}"):
        assert statuses(app, **far, HTTP_AUTHORIZATION=wrong) == 404, wrong
    assert statuses(app, HTTP_X_FORWARDED_FOR="127.0.0.1", HTTP_AUTHORIZATION="Bearer x") == 404


@on_sqlite
def test_it_opens_no_session_and_answers_whatever_the_host_is_called(app: Flask) -> None:
    answer = app.test_client().get("/metrics", base_url="http://10.0.0.7:8000")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


@on_sqlite
def test_after_a_hostile_tour_every_label_is_a_word_of_ours(app: Flask, new_browser: NewBrowser, alice: str) -> None:
    browser, before = new_browser(), ours(app)  # what other applications of this process left
    hostile = 'x"}\n<script>\u202e' * 3
    browser.sign_in(alice, "wrong")
    browser.sign_in(alice)
    paths = (f"/{hostile}", f"/login?next={hostile}", f"/verify-email/{hostile}", "/api/v1/nothing", "/static/nothing")
    for path in paths:
        browser.get(path)
        browser.client.open(path, method="MADEUP")
    browser.client.post("/api/v1/auth/refresh", json={"refresh_token": hostile})
    browser.client.post("/api/v1/auth/login", json={"email": hostile, "password": hostile, "device_name": hostile})
    known = {
        "endpoint": {rule.endpoint for rule in app.url_map.iter_rules()} | {"none"},
        "status": {"1xx", "2xx", "3xx", "4xx", "500", "5xx", "0xx"},
        "verdict": {verdict.value for verdict in RefreshVerdict},
        "door": {"pwd", "hwk", "swk", "email", "otp", "recovery", "provider"},
        "outcome": {verdict.value for verdict in SignInVerdict} | {"sent", "postponed", "given_up"},
        "state": {"waiting", "under_way", "in_use", "most"},
        "set": {"revoked_sessions"},
        "thread": {"background"},
    }
    for sample in (sample for sample in ours(app) if sample not in before):
        for label, value in sample.labels.items():
            if label in known:
                assert value in known[label], sample
            elif label in ("event", "what"):
                assert re.fullmatch(r"[a-z_]{1,60}", value), sample
            else:
                assert label in ("le", "python"), sample


@on_sqlite
def test_sign_ins_are_counted_by_door_and_outcome(app: Flask, new_browser: NewBrowser, alice: str) -> None:
    def counted(name: str, **labels: str) -> float:
        return sum(sample.value for sample in ours(app) if sample.name == name and sample.labels == labels)

    before = counted("site_sign_ins_total", door="pwd", outcome="start")
    failed = counted("site_security_events_total", event="sign_in_failed")
    new_browser().sign_in(alice, "a wrong one, and long enough")
    new_browser().sign_in(alice)
    assert counted("site_sign_ins_total", door="pwd", outcome="start") == before + 1
    assert counted("site_security_events_total", event="sign_in_failed") == failed + 1


@on_sqlite
def test_without_a_database_the_rest_is_told(new_app: NewApp, tmp_path: object) -> None:
    app = new_app(DATABASE_URL=f"sqlite:///{tmp_path}", REDIS_URL="")
    names = {sample.name for sample in ours(app)}
    assert "site_info" in names
    assert "site_outbox_waiting" not in names


def test_every_mail_that_waits_is_told_until_it_is_sent(app: Flask, browser: Browser) -> None:
    def waiting() -> float:
        return next(sample.value for sample in ours(app) if sample.name == "site_outbox_waiting")

    assert waiting() == 0
    browser.submit("/register", email="new@example.com", password="seven quiet otters crossing", name="")
    assert waiting() == 1


def families() -> set[str]:
    """The names of all metrics, as they stand in the document."""
    asked = {"site_info", "site_outbox_waiting", "site_outbox_oldest_seconds"}
    found = {value for value in vars(metrics).values() if hasattr(value, "describe") and hasattr(value, "_name")}
    return asked | {next(iter(one.describe())).name for one in found}


def used_in(text: str) -> Iterator[str]:
    for found in _METRIC.findall(text):
        yield re.sub(r"_(total|bucket|count|sum)$", "", found)


def test_the_document_explains_every_metric() -> None:
    documented = {re.sub(r"_total$", "", name(row["metric"])) for row in table(DOCUMENT, "Metrics")}
    assert documented == families()


def test_alerts_and_dashboard_ask_for_metrics_that_there_are() -> None:
    assert set(used_in(ALERTS.read_text(encoding="utf-8"))) <= families()
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    asked = {target["expr"] for panel in panels for target in panel["targets"]}
    assert len(panels) >= 8
    assert all(set(used_in(expression)) & families() == set(used_in(expression)) != set() for expression in asked)


def test_every_alert_is_explained() -> None:
    alerts = re.findall(r"- alert: (\w+)", ALERTS.read_text(encoding="utf-8"))
    assert len(alerts) >= 6
    assert {name(row["alert"]) for row in table(DOCUMENT, "Alerts")} == set(alerts)
