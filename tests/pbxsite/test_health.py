from __future__ import annotations

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client as Browser

from authconfig.users.models import PbxUser
from pbxsite.celery import app
from pbxsite.errors import RETRY_AFTER_OUTAGE_SECONDS
from tests.conftest import Starter
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
