"""The front page says in words whether all is well, and where to look if not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.models import AuthenticationSettings
from authconfig.users import audit
from authconfig.users.models import PbxUser
from tests.support.html import Page
from verification.approval.models import LoginSession
from verification.mail.choices import MailState
from verification.mail.models import Heartbeat, OutgoingEmail
from verification.mail.operation import heartbeat
from verification.mail.tasks import wake_due_mails
from verification.voicemail.models import Voicemail

pytestmark = pytest.mark.django_db
QUIET = "Nothing waits, and none was needed in the last hour."


@pytest.fixture(autouse=True)
def _worker_runs() -> None:
    wake_due_mails()
    heartbeat.begin_worker("one@host", slots=4)


def cards(browser: Browser) -> list[str]:
    return Page(browser.get("/admin/").content.decode()).texts("front-card")


def mail_card(browser: Browser) -> str:
    return next(c for c in cards(browser) if c.startswith("Verification e-mails"))


def end_mail(mail: OutgoingEmail, state: MailState, **facts: Any) -> None:
    rows = OutgoingEmail.objects.filter(pk=mail.pk)
    rows.update(state=state, ended_at=timezone.now(), **facts)


def test_a_fresh_site_says_that_all_is_well(admin_client_myapps: Browser) -> None:
    policy, entry, mails, logins, sessions = cards(admin_client_myapps)

    assert "Two-factor authentication is off: a password alone is enough." in policy
    assert "Every active user, as far as this site can know." in entry
    assert QUIET in mails
    assert "0 logins succeeded." in logins
    assert "0 sessions." in sessions


@pytest.mark.usefixtures("two_factor")
def test_it_counts_who_cannot_log_in(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    assert "could not log in" not in cards(admin_client_myapps)[1]

    PbxUser.objects.filter(pk=user.pk).update(email="")

    assert "1 user could not log in to myApps." in cards(admin_client_myapps)[1]


def test_it_tells_how_long_the_mails_took(
    admin_client_myapps: Browser, mail: OutgoingEmail
) -> None:
    created = timezone.now() - timedelta(seconds=2)
    end_mail(mail, MailState.SENT, created_at=created)

    said = mail_card(admin_client_myapps)

    assert "1 was sent in the last hour." in said
    assert "Half of them within 2.0 s, 95 % within 2.0 s." in said


def test_it_tells_of_a_recording_that_was_too_large(
    admin_client_myapps: Browser, mail: OutgoingEmail
) -> None:
    Voicemail.objects.create(mail=mail, oversized_at=timezone.now())

    said = mail_card(admin_client_myapps)

    assert "1 recording was larger than the mail server takes" in said


def test_a_mail_that_nobody_takes_up_points_at_the_worker(
    admin_client_myapps: Browser, mail: OutgoingEmail
) -> None:
    assert "1 is due now." in mail_card(admin_client_myapps)
    due = timezone.now() - timedelta(seconds=61)
    OutgoingEmail.objects.update(due_at=due)

    said = mail_card(admin_client_myapps)

    assert "waiting for 61 seconds" in said
    assert "Celery worker" in said


def test_silence_of_the_worker_is_told_before_anything_waits(
    admin_client_myapps: Browser,
) -> None:
    Heartbeat.objects.update(seen_at=timezone.now() - timedelta(minutes=2))

    said = mail_card(admin_client_myapps)

    assert "No Celery worker has reported in the last minute" in said


def test_a_server_that_refuses_is_quoted_until_it_takes_mails_again(
    admin_client_myapps: Browser, mail: OutgoingEmail, held: LoginSession
) -> None:
    end_mail(mail, MailState.FAILED, stage="auth", code=535, words="5.7.8 no such")
    assert "535 5.7.8 no such" in mail_card(admin_client_myapps)
    later = OutgoingEmail.objects.create(
        user=held.user,
        recipient="a@b.example",
        expires_at=held.expires_at,
    )

    end_mail(later, MailState.SENT)

    assert "535" not in mail_card(admin_client_myapps)


def test_rejected_logins_are_a_warning(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    audit.record(Event.LOGIN_REJECTED, user=user)

    logins = cards(admin_client_myapps)[3]

    assert "1 was rejected by its user: somebody knows the password." in logins


def test_an_operator_sees_what_he_may_see(user: PbxUser, browser: Browser) -> None:
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="view_outgoingemail"))
    browser.force_login(user)
    session = browser.session
    session["kind"] = "myapps"
    session.save()

    assert [c.startswith("Verification e-mails") for c in cards(browser)] == [True]


@pytest.mark.usefixtures("two_factor")
def test_it_costs_few_queries(
    admin_client_myapps: Browser, django_assert_max_num_queries: Any
) -> None:
    AuthenticationSettings.load()
    admin_client_myapps.get("/admin/")

    with django_assert_max_num_queries(18):
        admin_client_myapps.get("/admin/")
