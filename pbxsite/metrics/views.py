"""The metrics for Prometheus, read from the database: every process answers alike.

A request from this machine needs no key; others send METRICS_KEY.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from itertools import product
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from pbxsite.administration.queue.report import QueueReport, queue_report
from pbxsite.edge.local import is_on_this_machine
from pbxsite.metrics.tallies import (
    APPROVAL_BUCKETS,
    APPROVAL_SECONDS,
    APPROVALS,
    COUNT,
    DECISIONS,
    LOGINS,
    MAIL_BUCKETS,
    MAIL_SECONDS,
    MAILS,
    OUTCOMES,
    SUM,
    Key,
    totals,
)
from verification.mail.choices import Part
from verification.mail.kinds import every_kind
from verification.mail.models import OVER
from verification.mail.operation.overview import WAITING
from verification.sessions.choices import Approver

Totals = dict[Key, int]
MAIL_KINDS = [kind.name for kind in every_kind()]
# These series are there before anything happened: a missing one raises no alarm.
EXPECTED: list[Key] = [
    *((LOGINS, *labels) for labels in product(Method, Kind, OUTCOMES.values())),
    *((APPROVALS, *labels) for labels in product(Approver, DECISIONS.values())),
    *((MAILS, kind, state, "") for kind, state in product(MAIL_KINDS, OVER)),
]


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if not _may_ask(request):
        words = "Send METRICS_KEY as a bearer token, or ask on this machine.\n"
        refused = HttpResponse(words, "text/plain", HTTPStatus.UNAUTHORIZED)
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused
    registry = CollectorRegistry()
    registry.register(SiteCollector())
    return HttpResponse(generate_latest(registry), CONTENT_TYPE_LATEST)


def _may_ask(request: HttpRequest) -> bool:
    if is_on_this_machine(request):
        return True
    scheme, _space, key = request.headers.get("Authorization", "").partition(" ")
    is_bearer = scheme.lower() == "bearer" and bool(settings.METRICS_KEY)
    return is_bearer and constant_time_compare(key.strip(), settings.METRICS_KEY)


class SiteCollector(Collector):
    """Reads the database with each scrape, and says if it is away."""

    def describe(self) -> Iterable[Metric]:
        """Return nothing, or the registration would ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            families = [*_counters(totals()), *_gauges(queue_report())]
        except (DatabaseError, InterfaceError):
            families = []
        is_up = bool(families)
        yield _gauge("database_up", "Whether the database answers.", is_up)
        yield _labelled(
            GaugeMetricFamily,
            "build_info",
            "The version of this site.",
            {(settings.VERSION,): 1},
            ["version"],
        )
        yield from families


def _counters(found: Totals) -> Iterator[Metric]:
    for series, words, labels in (
        (LOGINS, "Logins by method, client and outcome.", "method client outcome"),
        (APPROVALS, "Ends of logins that waited for approval.", "road outcome"),
        (MAILS, "Outgoing e-mails that are over.", "kind state code"),
    ):
        values = dict.fromkeys((key for key in EXPECTED if key[0] == series), 0)
        values |= {key: total for key, total in found.items() if key[0] == series}
        own = {key[1:]: total for key, total in values.items()}
        yield _labelled(CounterMetricFamily, series, words, own, labels.split())
    yield _histogram(
        found,
        MAIL_SECONDS,
        "From the queueing of an e-mail to the server's acceptance.",
        MAIL_BUCKETS,
        {"kind": MAIL_KINDS},
    )
    yield _histogram(
        found,
        APPROVAL_SECONDS,
        "From the first factor to the acceptance of a login.",
        APPROVAL_BUCKETS,
        {},
    )


def _histogram(
    found: Totals,
    series: str,
    words: str,
    limits: Iterable[float],
    labels: dict[str, list[Any]],
) -> Metric:
    family = HistogramMetricFamily(f"pbx_{series}", words, labels=list(labels))
    for values in product(*labels.values()):
        key = (series, *values)
        counts = [(str(limit), found.get((*key, str(limit)), 0)) for limit in limits]
        everything = ("+Inf", found.get((*key, COUNT), 0))
        seconds = found.get((*key, SUM), 0) / 1000
        family.add_metric(list(values), [*counts, everything], sum_value=seconds)
    return family


def _gauges(found: QueueReport) -> Iterator[Metric]:
    yield _labelled(
        GaugeMetricFamily,
        "mails_waiting",
        "Outgoing e-mails that are not over.",
        {(state.value,): found.mails[state] for state in WAITING},
        ["state"],
    )
    yield _gauge("mails_due", "Outgoing e-mails that are due now.", found.due)
    oldest = found.oldest_due_seconds or 0
    yield _gauge(
        "mail_oldest_due_seconds", "How long the oldest due one waits.", oldest
    )
    yield _gauge(
        "mail_last_success_timestamp_seconds",
        "When an e-mail was accepted last.",
        found.last_sent_at.timestamp() if found.last_sent_at else 0,
    )
    paused = found.paused_since is not None
    yield _gauge("sending_paused", "Whether operators paused the sending.", paused)
    yield from _parts(found)
    yield from _servers(found)


def _parts(found: QueueReport) -> Iterator[Metric]:
    now = found.at.timestamp()
    for part in Part:
        own = [each for each in found.speakers if each.kind == part]
        alive = sum(not each.is_silent for each in own)
        yield _gauge(f"{part}s", f"{part.name.title()}s with a heartbeat.", alive)
        yield _labelled(
            GaugeMetricFamily,
            f"{part}_last_seen_timestamp_seconds",
            f"When the {part} spoke last.",
            {(each.name, each.version): now - each.seen_seconds for each in own},
            ["name", "version"],
        )


def _servers(found: QueueReport) -> Iterator[Metric]:
    yield _gauge("broker_up", "Whether the broker answers.", found.broker.is_up)
    yield _labelled(
        GaugeMetricFamily,
        "broker_queue_length",
        "Tasks that wait in the broker.",
        {(name,): length for name, length in found.broker.lengths.items()},
        ["queue"],
    )
    yield _labelled(
        GaugeMetricFamily,
        "dependency_up",
        "Whether a server of others answered when it was asked last.",
        {(each.kind, each.name): each.is_up is not False for each in found.servers},
        ["kind", "name"],
    )


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"pbx_{name}", words, value=value)


def _labelled(
    family: type[CounterMetricFamily] | type[GaugeMetricFamily],
    name: str,
    words: str,
    values: Mapping[Any, float],
    labels: list[str],
) -> Metric:
    made = family(f"pbx_{name}", words, labels=labels)
    for key, value in values.items():
        made.add_metric([str(label) for label in key], value)
    return made
