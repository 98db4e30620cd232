"""What Prometheus is told, by whom it may be asked, and that its rules know it."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client as Browser
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.live_server_helper import LiveServer

from authconfig import dependencies
from authconfig.choices import Dependency, Event
from authconfig.users import audit
from authconfig.users.models import PbxUser
from pbxsite.metrics.tallies import LAG, totals
from tests.conftest import SettingsSetter
from tests.support.prometheus import running_prometheus
from tests.support.services import ROOT
from verification.approval.choices import LoginState
from verification.approval.models import LoginSession
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.mail.operation import actions, heartbeat
from verification.sessions.choices import Approver
from verification.sessions.passwords import PASSWORD_NOTICE

ALERTS = ROOT / "docs/operations/alerts.yml"
DASHBOARD = ROOT / "docs/operations/dashboard.json"
KEY = "a long key for scrapes"
NAME = re.compile(r"\bpbx_\w+")
LINE = re.compile(r"^\s*(\w+): \"?(.+?)\"?$", re.MULTILINE)
THEN = timezone.now() - timedelta(minutes=1)

pytestmark = pytest.mark.django_db


def scrape() -> str:
    answer = Browser().get("/metrics")
    assert answer.status_code == 200
    return answer.content.decode()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(metric: str, **labels: str) -> float:
    return samples(scrape())[metric, frozenset(labels.items())]


def make_mail(user: PbxUser, state: MailState, **facts: Any) -> OutgoingEmail:
    values: dict[str, Any] = {
        "kind": PASSWORD_NOTICE.name,
        "user": user,
        "recipient": user.email,
        "expires_at": timezone.now() + timedelta(days=1),
        "state": state,
        "created_at": THEN - timedelta(seconds=4),
        "ended_at": None if state == MailState.QUEUED else THEN,
    }
    return OutgoingEmail.objects.create(**values | facts)


def record(event: Event, user: PbxUser, **facts: Any) -> None:
    made = audit.record(event, user=user, **facts)
    made.at = THEN
    made.save()


def test_what_is_told_follows_prometheus_own_rules(user: PbxUser) -> None:
    make_mail(user, MailState.SENT, code=250)
    heartbeat.begin_worker("one@host", slots=4)

    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=scrape(),
        capture_output=True,
        text=True,
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.database
def test_mails_are_counted_by_kind_state_and_code(user: PbxUser) -> None:
    make_mail(user, MailState.SENT, code=250)
    make_mail(user, MailState.FAILED, code=550)
    make_mail(user, MailState.FAILED, code=550)
    make_mail(user, MailState.QUEUED, due_at=THEN)

    told = samples(scrape())

    def count(state: str, code: str) -> float:
        labels = {"kind": "password", "state": state, "code": code}
        return told["pbx_mails_total", frozenset(labels.items())]

    assert (count("sent", "250"), count("failed", "550")) == (1, 2)
    assert count("failed", "") == 0
    assert told["pbx_mails_due", frozenset()] == 1
    age = timezone.now() - THEN
    assert told["pbx_mail_oldest_due_seconds", frozenset()] >= 60
    assert told["pbx_mail_oldest_due_seconds", frozenset()] <= age.total_seconds()
    queued = frozenset({("state", "queued")})
    assert told["pbx_mails_waiting", queued] == 1


@pytest.mark.database
def test_how_long_mails_took_is_a_histogram(user: PbxUser) -> None:
    make_mail(user, MailState.SENT)
    make_mail(user, MailState.SENT, created_at=THEN - timedelta(seconds=20))
    make_mail(user, MailState.FAILED, created_at=THEN - timedelta(seconds=1))

    told = samples(scrape())

    def bucket(limit: str) -> float:
        labels = {"kind": "password", "le": limit}
        return told["pbx_mail_seconds_bucket", frozenset(labels.items())]

    assert [bucket(limit) for limit in ("2", "5", "30", "+Inf")] == [0, 1, 2, 2]
    total = told["pbx_mail_seconds_sum", frozenset({("kind", "password")})]
    assert total == pytest.approx(24)


@pytest.mark.database
def test_logins_and_approvals_are_counted(user: PbxUser) -> None:
    facts = {"method": "pbx", "kind": "myapps"}
    labels = {"method": "pbx", "client": "myapps"}
    record(Event.LOGIN, user, **facts)
    record(Event.LOGIN_FAILED, user, **facts)
    record(Event.LOGIN_FAILED, user, **facts)
    record(Event.FACTOR_ASKED, user, **facts)
    record(Event.LOGIN_ACCEPTED, user, detail=Approver.EMAIL)
    record(Event.LOGIN_ENDED, user, detail="cancelled")
    record(Event.LOGIN_ENDED, user, detail="what somebody wrote")

    assert value("pbx_logins_total", outcome="completed", **labels) == 1
    assert value("pbx_logins_total", outcome="failed", **labels) == 2
    assert value("pbx_logins_total", outcome="held", **labels) == 0
    assert value("pbx_approvals_total", road="email", outcome="accepted") == 1
    assert value("pbx_approvals_total", road="", outcome="cancelled") == 1
    assert "what somebody wrote" not in scrape()


@pytest.mark.database
def test_how_long_approvals_took_is_a_histogram(held: LoginSession) -> None:
    LoginSession.objects.update(
        state=LoginState.ACCEPTED,
        decided_at=THEN,
        created_at=THEN - timedelta(seconds=15),
    )

    assert value("pbx_approval_seconds_bucket", le="10") == 0
    assert value("pbx_approval_seconds_bucket", le="20") == 1
    assert value("pbx_approval_seconds_sum") == 15


@pytest.mark.database
def test_a_total_never_shrinks(user: PbxUser, administrator: PbxUser) -> None:
    labels = {"kind": "password", "state": "failed", "code": ""}
    mail = make_mail(user, MailState.FAILED)
    assert value("pbx_mails_total", **labels) == 1

    operator = actions.Operator(administrator, audit.NOWHERE)
    actions.retry(OutgoingEmail.objects.all(), operator)
    assert value("pbx_mails_total", **labels) == 1
    mail.delete()

    assert value("pbx_mails_total", **labels) == 1


@pytest.mark.database
def test_what_may_still_be_in_the_making_is_counted_later(user: PbxUser) -> None:
    make_mail(user, MailState.SENT, ended_at=timezone.now())
    key = ("mails", "password", "sent", "")
    assert key not in totals()

    OutgoingEmail.objects.update(ended_at=timezone.now() - LAG)

    assert totals()[key] == 1


@pytest.mark.database
def test_each_row_is_counted_once_by_readers_in_turn(user: PbxUser) -> None:
    make_mail(user, MailState.SENT, code=250)

    assert [totals()["mails", "password", "sent", "250"] for _ in range(3)] == [1] * 3


@pytest.mark.database
def test_a_scrape_costs_the_same_with_many_mails(
    user: PbxUser, django_assert_max_num_queries: Any
) -> None:
    for _number in range(50):
        make_mail(user, MailState.SENT, code=250)
    scrape()

    with django_assert_max_num_queries(32):
        scrape()


def test_servers_workers_and_the_pause_are_told(
    configure: SettingsSetter, administrator: PbxUser
) -> None:
    configure(smtp_server="mail.example")
    heartbeat.begin_worker("one@host", slots=4)
    dependencies.note_down(Dependency.SMTP, "mail.example:587", "no")
    actions.pause(actions.Operator(administrator, audit.NOWHERE))

    assert value("pbx_dependency_up", kind="smtp", name="mail.example:587") == 0
    assert (value("pbx_workers"), value("pbx_schedulers")) == (1, 0)
    assert value("pbx_sending_paused") == 1
    assert value("pbx_broker_up") == 1


@pytest.mark.database
def test_a_database_that_is_away_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away() -> None:
        raise OperationalError

    monkeypatch.setattr(connection, "cursor", away)

    assert value("pbx_database_up") == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "192.0.2.9"}, 401),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 401),
        ({"HTTP_FORWARDED": "for=127.0.0.1"}, 401),
        ({"REMOTE_ADDR": "192.0.2.9", "HTTP_AUTHORIZATION": f"Bearer {KEY}"}, 200),
        ({"REMOTE_ADDR": "192.0.2.9", "HTTP_AUTHORIZATION": f"Bearer {KEY}x"}, 401),
        ({"REMOTE_ADDR": "192.0.2.9", "HTTP_AUTHORIZATION": f"Basic {KEY}"}, 401),
    ],
)
def test_other_machines_need_the_key(
    settings: Any, headers: dict[str, str], status: int
) -> None:
    settings.METRICS_KEY = KEY

    answer = Browser().get("/metrics", **headers)

    assert answer.status_code == status
    assert (b"pbx_workers" in answer.content) == (status == 200)


def test_without_a_key_no_other_machine_is_answered(settings: Any) -> None:
    settings.METRICS_KEY = ""
    far = {"REMOTE_ADDR": "192.0.2.9", "HTTP_AUTHORIZATION": "Bearer "}

    assert Browser().get("/metrics", **far).status_code == 401


def alerts() -> list[dict[str, str]]:
    """Read each rule's lines; Prometheus itself looks at the YAML below."""
    _head, *rules = ALERTS.read_text().split("- alert: ")
    return [dict(LINE.findall(f"alert: {rule}")) for rule in rules]


def named(text: str) -> set[str]:
    return set(NAME.findall(text))


def test_rules_and_dashboard_name_only_what_is_told() -> None:
    told = {name for name, _labels in samples(scrape())}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    # Told of each queue, worker and server, of which this site has none.
    later = {
        "pbx_worker_last_seen_timestamp_seconds",
        "pbx_scheduler_last_seen_timestamp_seconds",
        "pbx_dependency_up",
    }

    assert named(" ".join(shown)) <= told | later
    assert named(" ".join(rule["expr"] for rule in alerts())) <= told | later


def test_promtool_finds_the_rules_in_order() -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True
    )

    assert checked.returncode == 0, checked.stderr
    assert f"{len(alerts())} rules found" in checked.stdout


def test_each_alarm_says_what_to_do() -> None:
    for rule in alerts():
        assert rule["summary"], rule["alert"]
        assert rule["action"], rule["alert"]
        assert re.search(r"severity: (page|ticket) ", rule["labels"]), rule["alert"]


def always_a_value(expression: str) -> str:
    """Have comparisons answer 0 or 1, where alone they answer nothing or a value."""
    return re.sub(r" (==|>|<) ", r" \1 bool ", expression)


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_a_real_prometheus_gets_a_value_for_each_alarm(
    live_server: LiveServer,
    tmp_path: Path,
    configure: SettingsSetter,
    administrator: PbxUser,
) -> None:
    configure(smtp_server="mail.example")
    dependencies.note_down(Dependency.SMTP, "mail.example:587", "no")
    heartbeat.begin_worker("one@host", slots=4)
    target = live_server.url.removeprefix("http://")

    with running_prometheus(tmp_path, target, ALERTS) as prometheus:
        prometheus.await_scrapes(3)

        assert prometheus.values('up{job="pbx"}') == [1]
        for rule in alerts():
            found = prometheus.values(always_a_value(rule["expr"]))
            assert found, rule["alert"]
        (group,) = prometheus.ask("rules")["groups"]
        assert {rule["health"] for rule in group["rules"]} == {"ok"}
        firing = {r["name"] for r in group["rules"] if r["state"] != "inactive"}
        assert firing == {"PbxServerFails", "PbxNoScheduler"}
