from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from authconfig.network import database_clock
from authconfig.users.models import PbxUser
from pbxsite.celery import app
from pbxsite.errors import RETRY_AFTER_OUTAGE_SECONDS
from pbxsite.tables import writes
from pbxsite.tables.writes import WRITE_SECONDS, LastWrite
from tests.conftest import Starter
from verification.mail.models import Heartbeat
from verification.mail.operation import heartbeat
from verification.redis_access import redis_outage

pytestmark = pytest.mark.database


@pytest.fixture
def browser() -> Browser:
    return Browser(raise_request_exception=False)


def test_a_living_process_says_so_without_its_database(browser: Browser) -> None:
    """No database is allowed in this test: a query would fail it."""
    response = browser.get("/livez")

    assert (response.status_code, response.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_a_site_with_its_database_is_ready(browser: Browser) -> None:
    response = browser.get("/readyz")

    assert (response.status_code, response.content) == (200, b"ok\n")


@pytest.mark.django_db
@pytest.mark.parametrize("app", ["authconfig", "approval", "sessions"])
def test_a_site_with_missing_migrations_is_not_ready(
    browser: Browser, app: str
) -> None:
    MigrationRecorder.Migration.objects.filter(app=app).delete()

    response = browser.get("/readyz")

    assert response.status_code == 503
    assert response.content == b"migrations are missing\n"


@pytest.mark.django_db
def test_a_site_without_its_database_is_not_ready(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise OperationalError("server 192.0.2.1 closed the connection")

    monkeypatch.setattr(connection, "cursor", away)

    response = browser.get("/readyz")

    assert response.status_code == 503
    assert response.content == b"the database does not answer\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            'connection to server at "192.0.2.1", port 6432 failed: FATAL:  '
            "unsupported startup parameter: options\n",
            "unsupported startup parameter: options",
        ),
        (
            "connection is bad: connection to server on socket failed: FATAL:  the "
            "database system is starting up\nDETAIL:  of 192.0.2.1",
            "the database system is starting up",
        ),
    ],
)
def test_a_database_that_refuses_is_told_in_its_own_words(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, told: str, words: str
) -> None:
    def refuse() -> None:
        raise OperationalError(told)

    monkeypatch.setattr(connection, "cursor", refuse)

    response = browser.get("/readyz")

    expected = f"the database does not answer: {words}\n"
    assert (response.status_code, response.content.decode()) == (503, expected)


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgresql
def test_a_database_that_takes_no_writes_lets_nobody_in(
    browser: Browser, start: Starter, user: PbxUser
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        ready, login = browser.get("/readyz"), start(browser)
    finally:
        connection.close()

    assert (ready.status_code, ready.content) == (503, b"the database is read-only\n")
    assert login.status_code == 503
    assert login["Retry-After"] == str(RETRY_AFTER_OUTAGE_SECONDS)
    assert start(browser).status_code == 302


@pytest.mark.django_db
def test_a_site_without_its_broker_is_ready_and_says_so(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.conf, "broker_url", "redis://127.0.0.1:1/0")

    response = browser.get("/readyz")
    redis_outage.end()

    assert response.status_code == 200
    assert response.content.startswith(b"ok, but the broker does not answer")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_open_read_only_and_never_stored(
    browser: Browser, user: PbxUser, path: str
) -> None:
    response = browser.get(path)

    assert response["Content-Type"] == "text/plain"
    assert "no-store" in response["Cache-Control"]
    assert "Set-Cookie" not in response
    assert browser.head(path).status_code == 200
    assert browser.post(path).status_code == 405


@pytest.fixture
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LastWrite, "at", float("-inf"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("asked_anew")
def test_a_database_that_somebody_has_locked_is_not_ready(browser: Browser) -> None:
    assert browser.get("/readyz").content == b"ok\n"
    LastWrite.at = float("-inf")
    own = connection.copy()
    own.ensure_connection()
    try:
        with transaction_of(own):
            began = time.monotonic()
            response = browser.get("/readyz")
    finally:
        own.close()

    assert response.status_code == 503
    assert response.content.startswith(b"the database takes no writes: ")
    assert time.monotonic() - began < 2 * WRITE_SECONDS
    assert browser.get("/readyz").content == b"ok\n"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("asked_anew")
def test_the_overview_and_the_queue_tell_of_a_lock_too(admin: Browser) -> None:
    assert admin.get("/readyz").content == b"ok\n"
    assert "No Celery worker has reported" in admin.get("/admin/").content.decode()
    LastWrite.at = float("-inf")
    own = connection.copy()
    own.ensure_connection()
    try:
        with transaction_of(own):
            overview = admin.get("/admin/")
            queue = admin.get(reverse("queue"))
    finally:
        own.close()

    for page in (overview, queue):
        assert (
            "The database takes no writes, so nobody can log in: "
            in page.content.decode()
        )
    assert "takes no writes" not in admin.get("/admin/").content.decode()


@contextmanager
def transaction_of(own: BaseDatabaseWrapper) -> Iterator[None]:
    """Hold the lock that a login's write needs."""
    own.set_autocommit(False)
    with own.cursor() as cursor:
        cursor.execute("UPDATE mail_heartbeat SET slots = 0")
        yield
    own.rollback()


@pytest.mark.django_db
@pytest.mark.usefixtures("asked_anew")
def test_what_a_file_system_says_is_told_without_its_place(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(host: str) -> None:
        raise OperationalError('could not extend file "base/1": No space left')

    monkeypatch.setattr(heartbeat, "beat_web", fail)

    response = browser.get("/readyz")

    expected = b"the database takes no writes: could not extend file\n"
    assert (response.status_code, response.content) == (503, expected)


@pytest.mark.django_db
@pytest.mark.usefixtures("asked_anew")
def test_a_database_whose_commits_wait_is_not_ready(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writes, "WRITE_SECONDS", 0)

    response = browser.get("/readyz")

    expected = b"the database takes no writes: a commit takes longer than 0 seconds\n"
    assert (response.status_code, response.content) == (503, expected)
    # It is looked at again, and not only after a while.
    assert LastWrite.at == float("-inf")


@pytest.mark.django_db
def test_a_site_that_is_asked_often_writes_seldom(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = list[str]()
    monkeypatch.setattr(heartbeat, "beat_web", written.append)
    monkeypatch.setattr(LastWrite, "at", float("-inf"))

    for _ in range(3):
        browser.get("/readyz")

    assert len(written) == 1


@pytest.mark.django_db
def test_a_silent_scheduler_and_a_wrong_clock_are_told(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat.beat()
    long_ago = timezone.now() - timedelta(minutes=2)
    Heartbeat.objects.update(seen_at=long_ago)
    monkeypatch.setattr(database_clock, "ahead", -7.0)

    response = browser.get("/readyz")

    assert response.status_code == 200
    assert response.content.decode() == (
        "ok, but the scheduler has been silent for 113 seconds; "
        "this clock is 7 seconds fast by the database's\n"
    )


@pytest.mark.django_db
def test_a_release_that_was_rolled_back_says_so(browser: Browser) -> None:
    MigrationRecorder.Migration.objects.create(app="approval", name="9999_of_tomorrow")

    response = browser.get("/readyz")

    expected = b"ok, but the database is of a newer release, with approval.9999"
    assert response.status_code == 200
    assert response.content.startswith(expected)
