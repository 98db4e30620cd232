"""`manage.py queue [--json]`: do verification e-mails go out?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from pbxsite.administration.kept_words import mail_in_words
from pbxsite.administration.queue.report import (
    QueueReport,
    oversized_words,
    queue_report,
)
from pbxsite.management.site_command import SiteCommand
from verification.mail.choices import MailState


class Command(SiteCommand):
    help = "Show what the queue page shows: whether verification e-mails go out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        found = queue_report()
        if options["json"]:
            self.stdout.write(json.dumps(found.as_dict(), cls=DjangoJSONEncoder))
        else:
            self.stdout.write("\n".join(lines(found)))


def lines(found: QueueReport) -> Iterator[str]:
    findings = [each.sentence for each in found.findings]
    yield from [f"! {sentence}" for sentence in findings] or ["All is well."]
    yield from (f"{state:<8} {count:>8}" for state, count in found.mails.items())
    yield f"due now  {found.due:>8}" + _age(found.oldest_due_seconds)
    yield f"last sent: {found.last_sent_at or 'never'}"
    yield f"last failure: {mail_in_words(found.last_failure) or 'none'}"
    times = found.times
    yield (
        f"last hour: {times.count} sent, p50 {times.median_seconds:.1f} s,"
        f" p95 {times.p95_seconds:.1f} s"
    )
    yield from oversized_words(found.oversized)
    yield from _failures(found)
    yield from _parts(found)


def _age(seconds: float | None) -> str:
    return "" if seconds is None else f", the oldest for {seconds:.0f} s"


def _failures(found: QueueReport) -> Iterator[str]:
    for group in found.failures:
        failed_at = mail_in_words(f"{group.stage} {group.words}".strip())
        yield f"{group.count} {MailState(group.state).label}: {failed_at}"
        yield f"    {group.remedy}"


def _parts(found: QueueReport) -> Iterator[str]:
    for speaker in found.speakers:
        state = "silent" if speaker.is_silent else "up"
        yield (
            f"{speaker.kind} {speaker.name}: {state}, seen"
            f" {speaker.seen_seconds:.0f} s ago, version {speaker.version}"
            + (f", {speaker.work}" if speaker.work else "")
        )
    lengths = ", ".join(f"{name} {n}" for name, n in found.broker.lengths.items())
    yield f"broker: {'up' if found.broker.is_up else 'down'}" + (
        f", waiting tasks: {lengths}" if lengths else ""
    )
    for server in found.servers:
        state = {True: "up", False: "down", None: "not asked yet"}[server.is_up]
        yield f"{server.kind} {server.name}: {state} {server.words}".rstrip()
