"""The audit log: found, exported, kept as long as the settings say."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import Settings

from authconfig.choices import Event, Origin
from authconfig.users import audit
from authconfig.users.models import AuditEvent, PbxUser
from authconfig.users.tasks import forget_old_events
from pbxsite.administration.logs import audit_log
from pbxsite.celery import app
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
LIST = "/admin/users/auditevent/"
EXPORT = f"{LIST}export/"


def exported(browser: Browser, **query: str) -> list[dict[str, str]]:
    response = browser.get(EXPORT, query)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="audit-log.csv"'
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))


@pytest.fixture
def events(user: PbxUser, administrator: PbxUser) -> None:
    audit.record(
        Event.LOGIN_FAILED,
        user=None,
        user_name='=HYPERLINK("https://evil.test")',
        origin=Origin("192.0.2.7", "Firefox, of course"),
        kind="myapps",
        method="pbx",
    )
    audit.record(Event.USER_CHANGED, user=user, actor=administrator, detail="Ä\nö")


def test_the_file_holds_every_column_and_no_formula(
    admin_client_myapps: Browser, events: None
) -> None:
    changed, failed = exported(admin_client_myapps)

    assert (changed["user"], changed["by"], changed["detail"]) == (
        "anna",
        "admin",
        "Ä\nö",
    )
    assert failed["user"] == '\'=HYPERLINK("https://evil.test")'
    assert (failed["event"], failed["client"], failed["method"]) == (
        "login_failed",
        "myapps",
        "pbx",
    )
    assert (failed["address"], failed["browser"]) == (
        "192.0.2.7",
        "Firefox, of course",
    )
    assert failed["time"].endswith("Z")


@pytest.mark.database
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "192.0.2.7"}, {"login_failed"}),
        ({"event__exact": "user_changed"}, {"user_changed"}),
        # The form's "All".
        ({"event__exact": "", "q": "anna"}, {"user_changed"}),
        ({"client__exact": "mypbx"}, set()),
        ({"at_from": "2001-01-01", "at_to": "2001-01-02"}, set()),
    ],
)
def test_the_file_holds_what_the_list_shows(
    admin_client_myapps: Browser, events: None, query: dict[str, str], found: set[str]
) -> None:
    page = admin_client_myapps.get(LIST, query).content.decode()
    link = f'href="{EXPORT}?'

    assert link in page
    assert {row["event"] for row in exported(admin_client_myapps, **query)} == found


def test_an_export_is_recorded(
    admin_client_myapps: Browser, administrator: PbxUser
) -> None:
    exported(admin_client_myapps, q="anna")

    event = AuditEvent.objects.get()
    assert (event.event, event.actor) == (Event.AUDIT_EXPORTED, administrator)
    assert event.detail == "q=anna"


def test_what_is_too_much_for_a_file_is_refused_with_a_remedy(
    admin_client_myapps: Browser, events: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "MOST_EVENTS", 1)

    response = admin_client_myapps.get(EXPORT, {"q": ""}, follow=True)

    assert response.redirect_chain == [(f"{LIST}?q=", 302)]
    assert "Choose days or a kind of event" in response.content.decode()


def test_who_may_not_see_the_log_exports_nothing(events: None) -> None:
    PbxUser.objects.create_user("helper", PASSWORD, is_staff=True)
    browser = Browser()
    browser.post("/login/", {"login": "helper", "password": PASSWORD})

    assert browser.get("/admin/").status_code == 200
    assert browser.get(EXPORT).status_code == 403
    assert browser.post(EXPORT).status_code == 405


@pytest.mark.database
@pytest.mark.parametrize(("days", "left"), [(365, 1), (30, 0), (0, 2)])
def test_old_events_are_forgotten(
    events: None, settings: Settings, days: int, left: int
) -> None:
    settings.AUDIT_RETENTION_TTL = timedelta(days=days)
    now = timezone.now()
    AuditEvent.objects.filter(event="login_failed").update(
        at=now - timedelta(days=365, seconds=1)
    )
    AuditEvent.objects.filter(event="user_changed").update(at=now - timedelta(days=31))

    forget_old_events.run()

    assert AuditEvent.objects.count() == left


@pytest.mark.database
def test_many_events_are_forgotten_in_steps(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "FORGOTTEN_AT_ONCE", 10)
    long_ago = timezone.now() - timedelta(days=400)
    AuditEvent.objects.bulk_create(
        AuditEvent(event=Event.LOGIN, at=long_ago) for _ in range(25)
    )

    assert audit.forget_old() == 25


def test_the_log_is_cleared_by_itself() -> None:
    # As a worker does when it starts.
    app.loader.import_default_modules()

    tasks = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert forget_old_events.name in tasks
    assert set(tasks) <= set(app.tasks)


@pytest.mark.database
def test_what_a_stranger_sends_keeps_no_event_out() -> None:
    """PostgreSQL takes no NUL, and a page would fail that only wants to refuse."""
    made = audit.record(Event.CLIENT_REFUSED, user=None, detail="client a\0b")

    made.refresh_from_db()
    assert made.detail == "client a\ufffdb"
