"""No page of the admin reads a growing table as a whole: PostgreSQL's plans say so."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from authconfig import bounded_counts
from authconfig.users.models import AuditEvent, PbxUser
from tests.harnesses.bench import scale
from verification.sessions.lifecycle import clear_expired

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
GROWING = (
    "users_pbxuser",
    "users_auditevent",
    "approval_loginsession",
    "mail_outgoingemail",
    "usersessions_usersession",
    "django_session",
)
LISTS = (
    "users/pbxuser/",
    "users/pbxuser/?q=anna",
    "users/pbxuser/?email_address=no-email",
    "users/pbxuser/?is_staff__exact=1",
    "users/pbxuser/?is_active__exact=0",
    "approval/loginsession/",
    "approval/loginsession/?q=anna",
    "approval/loginsession/?state=pending",
    "approval/loginsession/?state=expired",
    "approval/loginsession/?client__exact=mypbx",
    "mail/outgoingemail/",
    "mail/outgoingemail/?q=anna",
    "mail/outgoingemail/?state__exact=failed",
    "usersessions/usersession/",
    "usersessions/usersession/?q=anna",
    "usersessions/usersession/?q=192.0.2.1",
    "usersessions/usersession/?client=mypbx",
    "users/auditevent/",
    "users/auditevent/?q=anna",
    "users/auditevent/?q=192.0.2.1",
    "users/auditevent/?event__exact=login_rejected",
    "users/auditevent/?client__exact=mypbx",
    "users/auditevent/?method__exact=oauth2",
    "queue/",
    "",
)


USERS, ROWS = 2_000, 20_000
# A page, the counted ones, a day's traffic; or, of sessions, those that still live.
MOST_READ = 12_000


def rows_read(plan: dict[str, Any]) -> Counter[str]:
    """Count what the plan's scans looked at, by table, in all their turns."""
    read: Counter[str] = Counter()
    if plan.get("Relation Name") in GROWING:
        seen = [plan[key] for key in plan if key.startswith("Rows Removed")]
        every = (plan["Actual Rows"] + sum(seen)) * plan["Actual Loops"]
        read[plan["Relation Name"]] = int(every)
    for inner in plan.get("Plans", []):
        read += rows_read(inner)
    return read


def looked_at(queries: CaptureQueriesContext) -> Counter[str]:
    """Ask PostgreSQL how it answers the queries; the most that one of them reads."""
    read: Counter[str] = Counter()
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            if query["sql"].startswith("SELECT"):
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query['sql']}")
                read |= rows_read(cursor.fetchone()[0][0]["Plan"])
    return read


@pytest.mark.long
@pytest.mark.skipif(connection.vendor != "postgresql", reason="plans of PostgreSQL")
def test_no_list_reads_a_growing_table_as_a_whole(
    admin_client_myapps: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_counts, "MOST_COUNTED", 1000)
    scale.grow(USERS, ROWS)

    too_many = {}
    for path in LISTS:
        with CaptureQueriesContext(connection) as queries:
            response = admin_client_myapps.get(f"/admin/{path}")
        assert response.status_code == 200
        read = looked_at(queries)
        too_many |= {(path, t): n for t, n in read.items() if n > MOST_READ}

    assert too_many == {}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="plans of PostgreSQL")
def test_expired_sessions_are_found_without_asking_for_each_one(user: PbxUser) -> None:
    with CaptureQueriesContext(connection) as queries:
        clear_expired()

    deleting = [q["sql"] for q in queries.captured_queries if "EXISTS" in q["sql"]]
    assert deleting
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {deleting[0]}")
        told = "\n".join(line for (line,) in cursor.fetchall())
    assert "Anti Join" in told
    assert "SubPlan" not in told


def test_sessions_that_nobody_can_use_are_forgotten_and_others_kept(
    user: PbxUser,
) -> None:
    live = timezone.now() + timedelta(days=1)
    Session.objects.create(session_key="live", expire_date=live)
    for key in ("live", "gone"):
        UserSession.objects.create(
            user=user, session_key=key, ip="192.0.2.1", user_agent="Firefox"
        )

    clear_expired()

    assert [s.session_key for s in UserSession.objects.all()] == ["live"]


def test_a_list_of_more_rows_than_are_counted_says_so(
    admin_client_myapps: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_counts, "MOST_COUNTED", 1000)
    AuditEvent.objects.bulk_create(AuditEvent(event="login") for _ in range(1001))

    page = admin_client_myapps.get("/admin/users/auditevent/").content.decode()

    assert re.search(r"more than 1,000\s+events", page)
    assert "?p=10" in page
    assert "?p=11" not in page


def test_a_search_says_how_many_of_all_it_found(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    page = admin_client_myapps.get("/admin/users/pbxuser/?q=anna").content.decode()

    assert re.search(r"1 result\s*\(", page)
    assert "2 total" in page


@pytest.mark.parametrize("wanted", ["192.0.2.7", "2001:db8::7"])
def test_a_search_for_an_address_finds_it_as_a_whole(
    admin_client_myapps: Browser, user: PbxUser, wanted: str
) -> None:
    for address in ("192.0.2.7", "192.0.2.77", "2001:db8::7"):
        AuditEvent.objects.create(event="login", user_name="x", address=address)

    path = f"/admin/users/auditevent/?q={wanted}"
    page = admin_client_myapps.get(path).content.decode()

    assert re.search(r"\b1\s+audit event", page)
