"""The front page says in words whether all is well, and where to look if not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client as Browser
from django.utils import timezone

from authconfig import dependencies
from authconfig.choices import Dependency, Event, Origin
from authconfig.models import AuthenticationSettings
from authconfig.users import audit
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.administration.alarms.models import Alarm, Call
from pbxsite.administration.authentication import account_trials
from pbxsite.administration.findings import AlarmKind
from pbxsite.administration.front_page import logins
from tests.conftest import SettingsSetter
from tests.support.html import Page
from tests.support.webhooks import Receiver
from verification.approval.models import LoginSession
from verification.mail.account import account_of
from verification.mail.choices import MailState, Part, TrialState
from verification.mail.models import AccountTrial, Heartbeat, OutgoingEmail
from verification.mail.operation import actions, heartbeat
from verification.mail.operation.actions import Operator
from verification.mail.tasks import wake_due_mails
from verification.voicemail.models import Voicemail

pytestmark = pytest.mark.django_db
QUIET = "None was sent in the last 24 hours."


@pytest.fixture(autouse=True)
def _worker_runs() -> None:
    wake_due_mails()
    heartbeat.begin_worker("one@host", slots=4)


def cards(browser: Browser) -> list[str]:
    return Page(browser.get("/admin/").content.decode()).texts("front-card")


def mail_card(browser: Browser) -> str:
    return next(c for c in cards(browser) if c.startswith("E-mails"))


def alarms(browser: Browser) -> str:
    return " ".join(Page(browser.get("/admin/").content.decode()).texts("alarm"))


def end_mail(mail: OutgoingEmail, state: MailState, **facts: Any) -> None:
    rows = OutgoingEmail.objects.filter(pk=mail.pk)
    rows.update(state=state, ended_at=timezone.now(), **facts)


def test_a_fresh_site_says_that_all_is_well(admin_client_myapps: Browser) -> None:
    mails, policy, entry, sessions = cards(admin_client_myapps)

    assert alarms(admin_client_myapps) == ""
    assert "Two-factor authentication is off: a password alone is enough." in policy
    assert "Every active user, as far as this site can know." in entry
    assert QUIET in mails
    assert "0 sessions." in sessions


@pytest.mark.usefixtures("two_factor")
def test_it_counts_who_cannot_log_in(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    assert "cannot log in" not in alarms(admin_client_myapps)

    PbxUser.objects.filter(pk=user.pk).update(email="")

    told = "1 user cannot log in to myApps. Show these users"
    assert told in alarms(admin_client_myapps)


def test_it_tells_how_long_the_mails_took(
    admin_client_myapps: Browser, mail: OutgoingEmail
) -> None:
    created = timezone.now() - timedelta(seconds=2)
    end_mail(mail, MailState.SENT, created_at=created)

    said = mail_card(admin_client_myapps)

    assert "1 was sent in the last 24 hours." in said
    assert "half of them within 2.0 s, 95 % within 2.0 s." in said
    assert "None waits." in said


def test_it_tells_of_a_recording_that_was_too_large(
    admin_client_myapps: Browser, mail: OutgoingEmail
) -> None:
    Voicemail.objects.create(mail=mail, oversized_at=timezone.now())

    said = mail_card(admin_client_myapps)

    assert "1 recording was larger than the mail server takes" in said


def test_a_mail_that_nobody_takes_up_points_at_the_worker(
    admin_client_myapps: Browser, mail: OutgoingEmail
) -> None:
    assert "1 waits, 1 of them due now." in mail_card(admin_client_myapps)
    due = timezone.now() - timedelta(seconds=61)
    OutgoingEmail.objects.update(due_at=due)

    said = alarms(admin_client_myapps)

    assert "waiting for 61 seconds" in said
    assert "Celery worker" in said


def test_silence_of_the_worker_is_told_before_anything_waits(
    admin_client_myapps: Browser,
) -> None:
    Heartbeat.objects.update(seen_at=timezone.now() - timedelta(minutes=2))

    said = alarms(admin_client_myapps)

    assert "No Celery worker has reported in the last minute" in said


def test_the_scheduler_is_missed_once_the_site_has_run_for_a_minute(
    admin_client_myapps: Browser,
) -> None:
    Heartbeat.objects.filter(kind=Part.SCHEDULER).delete()

    at_first = alarms(admin_client_myapps)
    Heartbeat.objects.update(started_at=timezone.now() - timedelta(seconds=61))

    assert at_first == ""
    assert "The scheduler (beat) has not reported" in alarms(admin_client_myapps)


def test_a_server_that_refuses_is_quoted_until_it_takes_mails_again(
    admin_client_myapps: Browser, mail: OutgoingEmail, held: LoginSession
) -> None:
    end_mail(mail, MailState.FAILED, stage="auth", code=535, words="5.7.8 no such")
    assert "535 5.7.8 no such Open these settings" in alarms(admin_client_myapps)
    later = OutgoingEmail.objects.create(
        user=held.user,
        recipient="a@b.example",
        expires_at=held.expires_at,
    )

    end_mail(later, MailState.SENT)

    assert "535" not in alarms(admin_client_myapps)


def test_rejected_logins_are_a_warning(
    admin_client_myapps: Browser, user: PbxUser
) -> None:
    audit.record(Event.LOGIN_REJECTED, user=user)

    said = alarms(admin_client_myapps)

    assert "1 login was rejected by its user: somebody knows the password." in said
    assert "Show these logins" in said


def test_an_operator_sees_what_he_may_see(user: PbxUser, browser: Browser) -> None:
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="view_outgoingemail"))
    browser.force_login(user)
    session = browser.session
    session["kind"] = "myapps"
    session.save()

    assert [c.startswith("E-mails") for c in cards(browser)] == [True]
    # Who may not mend it reads of it all the same.
    Heartbeat.objects.all().delete()
    assert alarms(browser).startswith("No Celery worker has reported")
    assert "Open the e-mail queue" not in alarms(browser)


@pytest.fixture
def everything_is_wrong(
    administrator: PbxUser, receiver: Receiver, configure: SettingsSetter
) -> None:
    configure(smtp_server="mail.example", smtp_port=25)
    actions.pause(Operator(administrator, Origin()))
    dependencies.note_down(Dependency.SMTP, "mail.example:25", "connect: refused")
    audit.record(Event.LOGIN_REJECTED, user=administrator)
    PbxUser.objects.create(name="nobody")
    alarm = Alarm.objects.create(kind=AlarmKind.SMTP, sentence="", link="/")
    Call.objects.create(alarm=alarm, body="{}", fault="status 500")


@pytest.mark.usefixtures("everything_is_wrong")
def test_every_alarm_leads_to_where_it_is_mended(admin: Browser) -> None:
    shown = admin.get("/admin/").context["alarms"]

    kinds = {alarm.kind for alarm in shown}
    assert kinds == {"paused", "smtp", "webhook", "no_entry", "rejected"}
    links = {alarm.kind: alarm.link for alarm in shown}
    assert links["paused"] == "/admin/queue/"
    assert links["smtp"].endswith("/authenticationsettings/#section-email")
    assert links["webhook"].endswith("/authenticationsettings/#section-alarms")
    for link in links.values():
        path, _hash, part = link.partition("#")
        answer = admin.get(path)
        assert answer.status_code == 200
        assert not part or f'id="{part}"' in answer.content.decode()


def first_steps(browser: Browser) -> dict[str, bool]:
    steps = browser.get("/admin/").context["steps"]
    return {str(step.link).rpartition("/")[2]: step.is_done for step in steps}


def test_first_steps_lead_to_where_they_are_done_and_then_go(
    admin: Browser, configure: SettingsSetter, user: PbxUser
) -> None:
    PbxUser.objects.filter(pk=user.pk).update(is_active=False)
    assert not any(first_steps(admin).values())
    for step in admin.get("/admin/").context["steps"]:
        assert admin.get(step.link.partition("#")[0]).status_code == 200

    PbxUser.objects.filter(pk=user.pk).update(is_active=True)
    link = "https://pbx.example/PBX0/session.xml"
    rules = configure(verification_link=link, smtp_server="mail.example")
    facts = account_trials.create(account_of(rules), "a@b.example", None)
    AccountTrial.objects.filter(pk=facts.pk).update(state=TrialState.ACCEPTED)
    assert list(first_steps(admin).values()) == [True, True, True, False]

    configure(two_factor=True)
    assert first_steps(admin) == {}


def test_logins_are_counted_by_the_hour(
    admin: Browser, user: PbxUser, held: LoginSession
) -> None:
    now = timezone.now()
    before = now - timedelta(hours=3)
    AuditEvent.objects.all().delete()
    for event in (Event.LOGIN, Event.LOGIN, Event.LOGIN_FAILED):
        audit.record(event, user=user)
    AuditEvent.objects.update(at=before)
    audit.record(Event.LOGIN_REJECTED, user=user)
    old = audit.record(Event.LOGIN, user=user)
    AuditEvent.objects.filter(pk=old.pk).update(at=now - timedelta(days=1, hours=1))

    hours = logins.by_hour(now)

    assert len(hours) == 24
    assert (hours[-1].rejected, hours[-1].waiting, hours[-1].succeeded) == (1, 1, 0)
    earlier = next(hour for hour in hours if hour.succeeded)
    assert earlier.at <= before < earlier.at + timedelta(hours=1)
    assert (earlier.succeeded, earlier.failed) == (2, 1)
    assert sum(hour.sum for hour in hours) == 5


def test_each_count_is_visible_and_none_leaves_the_picture() -> None:
    at = timezone.now()
    hours = [logins.Hour(at, succeeded=100_000, rejected=1), logins.Hour(at)]

    [bar] = logins.chart(hours).bars

    heights = {part.name: float(part.height) for part in bar.parts}
    assert heights == {"succeeded": 118.0, "rejected": 2.0}
    assert min(float(part.y) for part in bar.parts) == 0


def test_the_picture_says_the_same_as_its_table(admin: Browser, user: PbxUser) -> None:
    audit.record(Event.LOGIN_FAILED, user=user)

    html = admin.get("/admin/").content.decode()

    assert html.count('class="part-failed"') == 1
    [legend] = Page(html).texts("logins-legend")
    assert "1 failed" in legend
    [table] = Page(html).texts("logins-table")
    assert "Failed" in table


@pytest.mark.usefixtures("two_factor")
def test_it_costs_few_queries(
    admin_client_myapps: Browser, django_assert_max_num_queries: Any
) -> None:
    AuthenticationSettings.load()
    admin_client_myapps.get("/admin/")

    # The rules are among them, once or twice: a copy serves for a second.
    with django_assert_max_num_queries(23):
        admin_client_myapps.get("/admin/")
