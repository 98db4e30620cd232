"""The audit log as a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from authconfig.users.csv_file import escape
from authconfig.users.models import AuditEvent

# One file holds at most these; a spreadsheet takes about a million rows.
MOST_EVENTS = 100_000
# Excel takes a file without this mark for its own old encoding.
BYTE_ORDER_MARK = "\ufeff"
COLUMNS = (
    "time",
    "event",
    "user",
    "by",
    "client",
    "method",
    "address",
    "browser",
    "detail",
)


def as_csv(events: Iterable[AuditEvent]) -> str:
    """Write events with their codes, which no language changes; times are UTC."""
    file = io.StringIO()
    file.write(BYTE_ORDER_MARK)
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows([escape(cell) for cell in _row(event)] for event in events)
    return file.getvalue()


def _row(event: AuditEvent) -> tuple[str, ...]:
    return (
        f"{event.at:%Y-%m-%dT%H:%M:%S.%fZ}",
        event.event,
        event.user_name,
        event.by,
        event.kind,
        event.method,
        event.address or "",
        event.user_agent,
        event.detail,
    )
