"""The queue stays quick however long it has been running: PostgreSQL's plans say so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from authconfig.users.models import PbxUser
from tests.harnesses.bench.old_mails import add_old_mails
from verification.mail import claims
from verification.mail.models import OutgoingEmail
from verification.voicemail.mails import VOICEMAIL

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.postgresql,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="its plans"),
]
TABLE = "mail_outgoingemail"


def scans(plan: dict[str, Any]) -> Iterator[str]:
    """Name how each part of the plan finds its rows of the queue's table."""
    kind = plan["Node Type"]
    # A heap that a bitmap leads to is read where the index says.
    if kind != "Bitmap Heap Scan" and plan.get("Relation Name") == TABLE:
        yield f"{kind} {plan.get('Index Name', '')}".strip()
    elif kind == "Bitmap Index Scan":
        yield f"{kind} {plan['Index Name']}"
    for inner in plan.get("Plans", []):
        yield from scans(inner)


def found_by(queries: CaptureQueriesContext) -> list[str]:
    """Ask PostgreSQL how it finds the rows of each statement about the queue."""
    found = []
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            if TABLE in query["sql"] and query["sql"][:6] in ("SELECT", "UPDATE"):
                cursor.execute(f"EXPLAIN (FORMAT JSON) {query['sql']}")
                found += scans(cursor.fetchone()[0][0]["Plan"])
    return found


def look(user: PbxUser) -> None:
    """Check each thing that workers and sweeps ask, beside mails that are waiting."""
    tomorrow = timezone.now() + timedelta(days=1)
    OutgoingEmail.objects.bulk_create(
        OutgoingEmail(
            kind=VOICEMAIL.name,
            priority=VOICEMAIL.priority,
            user=user,
            recipient=user.email,
            expires_at=tomorrow,
        )
        for _ in range(2000)
    )
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {TABLE}")
    for ask in (
        partial(claims.claim, 50),
        claims.expire_overdue,
        claims.requeue_abandoned,
        claims.forget_old,
    ):
        with CaptureQueriesContext(connection) as queries:
            ask()
        found = found_by(queries)
        assert [scan for scan in found if "Index" in scan], found
        assert not [scan for scan in found if scan.startswith("Seq Scan")], found


def claims_in_order() -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        claims.claim(50)
    return found_by(queries)


def test_claims_and_sweeps_use_their_indexes(user: PbxUser) -> None:
    add_old_mails(user, 20_000)

    look(user)
    assert claims_in_order()[0] == "Index Scan mail_queued_by_priority"


@pytest.mark.long
def test_claims_and_sweeps_use_their_indexes_among_a_million(user: PbxUser) -> None:
    add_old_mails(user, 1_000_000)

    look(user)
    assert claims_in_order()[0] == "Index Scan mail_queued_by_priority"
