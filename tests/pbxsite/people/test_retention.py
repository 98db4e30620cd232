"""What is kept no longer than the audit log, and what stays for ever without days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.utils import timezone
from pytest_django import Settings

from authconfig.clients.choices import Kind
from authconfig.users.models import AuditEvent, PbxUser, SettingChange
from authconfig.users.tasks import forget_old_events
from pbxsite.celery import app
from tests.conftest import SettingsSetter
from verification.approval.models import LoginSession
from verification.login.models import RescueLink
from verification.login.tasks import forget_old_logins
from verification.mail import account_trial
from verification.mail.account import account_of, fingerprint
from verification.mail.models import AccountTrial
from verification.mail.tasks import forget_old_mails
from verification.sessions.lifecycle import source_of
from verification.sessions.models import KnownAddress
from verification.sessions.tasks import clear_expired_sessions

HISTORIES = (
    AuditEvent,
    SettingChange,
    LogEntry,
    LoginSession,
    RescueLink,
    AccountTrial,
    KnownAddress,
)
TASKS = (
    forget_old_events,
    forget_old_logins,
    forget_old_mails,
    clear_expired_sessions,
)


@pytest.fixture
def later(anna: PbxUser, settings: Settings) -> Iterator[None]:
    """31 days after all that happened, of which 30 are kept."""
    AccountTrial.objects.update(ended_at=timezone.now(), state="failed")
    LoginSession.objects.update(expires_at=timezone.now())
    settings.AUDIT_RETENTION_TTL = timedelta(days=30)
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        yield


def forget() -> None:
    for task in TASKS:
        task.run()


@pytest.mark.database
@pytest.mark.parametrize("history", HISTORIES, ids=lambda h: h.__name__)
def test_no_history_outlives_the_audit_log(later: None, history: type[Model]) -> None:
    assert history._default_manager.exists()

    forget()

    assert not history._default_manager.exists()


def test_without_days_all_of_it_stays(later: None, settings: Settings) -> None:
    settings.AUDIT_RETENTION_TTL = timedelta(0)

    forget()

    assert [h for h in HISTORIES if not h._default_manager.exists()] == []


@pytest.mark.database
def test_what_is_no_older_stays(anna: PbxUser, settings: Settings) -> None:
    settings.AUDIT_RETENTION_TTL = timedelta(days=30)

    forget()

    assert [h for h in HISTORIES if not h._default_manager.exists()] == []


def test_an_address_is_known_no_longer_than_the_log_tells(
    later: None, settings: Settings
) -> None:
    assert source_of("anna.xyzzy", "192.0.2.77", Kind.MYAPPS) == "elsewhere"

    settings.AUDIT_RETENTION_TTL = timedelta(days=365)

    assert source_of("anna.xyzzy", "192.0.2.77", Kind.MYAPPS) == "known"


def test_that_the_present_account_was_accepted_stays_without_whom(
    later: None, configure: SettingsSetter
) -> None:
    rules = configure(smtp_server="mx.example", smtp_email_address="a@example.com")
    account = account_of(rules)
    AccountTrial.objects.update(state="accepted", fingerprint=fingerprint(account))

    forget()

    assert account_trial.was_accepted(account)
    trial = AccountTrial.objects.get()
    assert (trial.recipient, trial.requested_by) == ("", None)


@pytest.mark.parametrize("task", TASKS, ids=lambda t: t.name)
def test_the_scheduler_asks_for_each(task: object) -> None:
    asked = {entry["task"] for entry in app.conf.beat_schedule.values()}

    assert task.name in asked  # type: ignore[attr-defined]
