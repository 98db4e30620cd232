from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from authconfig import dependencies
from authconfig.choices import Dependency, Event, Origin
from authconfig.dependencies import DependencyState
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.support.heartbeats import silent_parts
from tests.support.scripted_smtp import closed_port, scripted_server
from verification.approval.choices import LoginState
from verification.approval.models import LoginSession
from verification.mail import claims, sending
from verification.mail.choices import MailState, Part
from verification.mail.models import Heartbeat, OutgoingEmail
from verification.mail.operation import actions, heartbeat
from verification.mail.operation.actions import Operator
from verification.mail.tasks import wake_due_mails
from verification.sessions.passwords import PASSWORD_NOTICE

MAILS = OutgoingEmail.objects


@pytest.fixture
def operator(administrator: PbxUser) -> Operator:
    return Operator(administrator, Origin("192.0.2.4", "Firefox"))


def end(mail: OutgoingEmail, state: MailState, **facts: object) -> None:
    MAILS.filter(pk=mail.pk).update(state=state, ended_at=timezone.now(), **facts)


def events(*kinds: Event) -> list[tuple[str, str]]:
    found = AuditEvent.objects.filter(event__in=kinds).order_by("pk")
    return [(event.event, event.detail) for event in found]


def make_notice(user: PbxUser, state: MailState) -> OutgoingEmail:
    return MAILS.create(
        kind=PASSWORD_NOTICE.name,
        user=user,
        recipient=user.email,
        state=state,
        ended_at=timezone.now(),
        expires_at=timezone.now() + timedelta(days=1),
    )


@pytest.mark.database
def test_a_failed_mail_goes_out_when_it_is_retried(
    mail: OutgoingEmail, operator: Operator, configure: SettingsSetter
) -> None:
    end(mail, MailState.FAILED, attempts=8)

    assert actions.retry(MAILS.all(), operator) == 1

    with scripted_server() as server:
        configure(smtp_port=server.port)
        sending.deliver_due()
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == (MailState.SENT, 9)
    assert events(Event.MAIL_RETRIED) == [("mail_retried", f"approval {mail.pk}")]
    assert AuditEvent.objects.get(event=Event.MAIL_RETRIED).address == "192.0.2.4"


def test_a_mail_that_waits_for_its_next_try_is_due_at_once(
    mail: OutgoingEmail, operator: Operator
) -> None:
    MAILS.update(due_at=timezone.now() + timedelta(minutes=2))

    assert actions.retry(MAILS.all(), operator) == 1

    assert claims.due().get() == mail


@pytest.mark.parametrize(
    "state", [MailState.SENT, MailState.UNKNOWN, MailState.EXPIRED]
)
def test_a_verification_mail_that_may_be_there_is_never_retried(
    mail: OutgoingEmail, operator: Operator, state: MailState
) -> None:
    end(mail, state)

    assert actions.retry(MAILS.all(), operator) == 0

    mail.refresh_from_db()
    assert mail.state == state
    assert events(Event.MAIL_RETRIED) == []


@pytest.mark.parametrize(
    ("state", "count"),
    [(MailState.UNKNOWN, 1), (MailState.FAILED, 1), (MailState.SENT, 0)],
)
def test_a_notice_may_come_twice_but_is_not_sent_again_on_purpose(
    user: PbxUser, operator: Operator, state: MailState, count: int
) -> None:
    make_notice(user, state)

    assert actions.retry(MAILS.all(), operator) == count


def test_nothing_is_retried_for_a_login_that_is_over(
    mail: OutgoingEmail, held: LoginSession, operator: Operator
) -> None:
    end(mail, MailState.FAILED)
    held.__class__.objects.update(state=LoginState.ACCEPTED, decided_at=timezone.now())

    assert actions.retry(MAILS.all(), operator) == 0


@pytest.mark.database
def test_an_older_link_is_not_sent_after_all(
    mail: OutgoingEmail, operator: Operator
) -> None:
    end(mail, MailState.FAILED)
    LoginSession.objects.update(link_number=2)

    assert actions.retry(MAILS.all(), operator) == 0


@pytest.mark.database
def test_a_cancelled_mail_is_over(mail: OutgoingEmail, operator: Operator) -> None:
    assert actions.cancel(MAILS.all(), operator) == 1
    assert actions.cancel(MAILS.all(), operator) == 0

    sending.deliver_due()
    mail.refresh_from_db()
    assert (mail.state, mail.words) == ("expired", "Cancelled by an operator.")
    assert events(Event.MAIL_CANCELLED) == [("mail_cancelled", f"approval {mail.pk}")]


@pytest.mark.database
def test_a_mail_that_is_being_sent_is_not_cancelled(
    mail: OutgoingEmail, operator: Operator
) -> None:
    MAILS.update(state=MailState.SENDING, lease_expires_at=timezone.now())

    assert actions.cancel(MAILS.all(), operator) == 0


@pytest.mark.database
def test_while_sending_is_paused_nothing_is_claimed(
    mail: OutgoingEmail, operator: Operator, configure: SettingsSetter
) -> None:
    assert [actions.pause(operator), actions.pause(operator)] == [True, False]

    sending.deliver_due()

    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == (MailState.QUEUED, 0)
    pause = actions.current_pause()
    assert pause
    assert pause.actor == operator.user
    assert [actions.resume(operator), actions.resume(operator)] == [True, False]
    with scripted_server() as server:
        configure(smtp_port=server.port)
        sending.deliver_due()
    mail.refresh_from_db()
    assert mail.state == MailState.SENT
    assert events(Event.SENDING_PAUSED, Event.SENDING_RESUMED) == [
        ("sending_paused", ""),
        ("sending_resumed", ""),
    ]


@pytest.mark.database
def test_the_claim_asks_about_the_pause_in_its_own_where(db: None) -> None:
    query = str(claims.claimable().query)

    assert "NOT EXISTS(SELECT 1" in query
    assert "mail_sendingpause" in query


def test_each_failed_try_stands_in_the_audit_log(
    mail: OutgoingEmail, configure: SettingsSetter
) -> None:
    with scripted_server({"RCPT": b"450 4.2.1 Try later\r\n"}) as server:
        configure(smtp_port=server.port)
        sending.deliver_due()

    expected = f"approval {mail.pk}: rcpt_to 450 4.2.1 Try later"
    assert events(Event.MAIL_DELAYED) == [("mail_delayed", expected)]


def test_the_state_of_the_server_is_told_by_the_last_try(
    mail: OutgoingEmail, configure: SettingsSetter
) -> None:
    port = closed_port()
    configure(smtp_port=port)
    sending.deliver_due()
    down = DependencyState.objects.get()
    MAILS.update(due_at=timezone.now())
    with scripted_server({"RCPT": b"550 5.1.1 Nobody\r\n"}) as server:
        configure(smtp_port=server.port)
        sending.deliver_due()

    assert (down.kind, down.name) == ("smtp", f"127.0.0.1:{port}")
    assert not down.is_up
    assert down.words.startswith("connect: ")
    assert DependencyState.objects.get(name=f"127.0.0.1:{server.port}").is_up


@pytest.mark.database
def test_a_state_is_written_when_it_changes_and_seldom_otherwise(
    db: None, django_assert_num_queries: object
) -> None:
    dependencies.note_up(Dependency.PROVIDER, "idp.example")
    dependencies.note_down(Dependency.PROVIDER, "idp.example", "no answer")
    since = DependencyState.objects.get().changed_at

    with django_assert_num_queries(0):  # type: ignore[operator]
        dependencies.note_down(Dependency.PROVIDER, "idp.example", "no answer")

    dependencies.forget()
    dependencies.note_down(Dependency.PROVIDER, "idp.example", "still none")
    row = DependencyState.objects.get()
    assert (row.is_up, row.words, row.changed_at) == (False, "still none", since)
    assert row.asked_at > since


def test_workers_and_the_scheduler_speak_for_themselves(db: None) -> None:
    assert silent_parts() == {Part.WORKER, Part.SCHEDULER}
    heartbeat.begin_worker("one@host", slots=4)
    assert silent_parts() == {Part.SCHEDULER}
    wake_due_mails()
    assert not silent_parts()

    heartbeat.beat_worker("one@host", slots=4, work="deliver_mails")
    assert Heartbeat.objects.get(name="one@host").work == "deliver_mails"
    Heartbeat.objects.update(seen_at=timezone.now() - timedelta(minutes=2))
    assert silent_parts() == {Part.WORKER, Part.SCHEDULER}


@pytest.mark.database
def test_a_worker_that_is_long_gone_is_forgotten(db: None) -> None:
    heartbeat.begin_worker("old@host", slots=4)
    Heartbeat.objects.update(seen_at=timezone.now() - timedelta(days=2))

    heartbeat.begin_worker("new@host", slots=4)
    heartbeat.begin_worker("ends@host", slots=4)
    heartbeat.end_worker("ends@host")

    assert [row.name for row in Heartbeat.objects.all()] == ["new@host"]


def test_there_is_a_group_that_may_operate_the_queue_and_nothing_else(
    db: None,
) -> None:
    rights = Group.objects.get(name="Operators").permissions
    assert list(rights.values_list("codename", flat=True)) == ["operate_queue"]
