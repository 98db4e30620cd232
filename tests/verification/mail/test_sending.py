from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.conf import settings
from django.db import OperationalError
from django.test import Client as Browser
from django.utils import timezone

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.celery import app as celery_app
from tests.conftest import LINK, SettingsSetter, Starter
from tests.support.scripted_smtp import closed_port, hang_up, scripted_server
from tests.support.smtp_servers import Server
from verification.approval.choices import Ending, LoginState
from verification.approval.links import find_by_link
from verification.approval.mails import REJECTION
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code, link_token
from verification.mail import claims, sending
from verification.mail.choices import MailState, SmtpStage
from verification.mail.fast import batches
from verification.mail.models import OutgoingEmail
from verification.mail.tasks import end_overdue_mails, wake_due_mails

LINK_PATTERN = re.compile(re.escape(LINK) + r"\?id=([\w%:.-]+)")


@pytest.fixture
def queued(
    server: Server, mail: OutgoingEmail, configure: SettingsSetter
) -> OutgoingEmail:
    """Anna's mail, due now, and a server that takes it."""
    configure(smtp_port=server.port, smtp_server="127.0.0.1")
    return mail


@pytest.fixture
def at_once() -> Iterator[None]:
    """Run tasks in the process that asks for them."""
    celery_app.conf.task_always_eager = True
    yield
    celery_app.conf.task_always_eager = False


def deliver(mail: OutgoingEmail) -> str:
    sending.deliver_due()
    mail.refresh_from_db()
    return mail.state


def texts(server: Server) -> list[str]:
    """Return the plain and the HTML text of the only mail that was received."""
    (received,) = server.mails
    bodies = [received.message.get_body((kind,)) for kind in ("plain", "html")]
    return [body.get_content() for body in bodies if body]


def events() -> list[tuple[str, str]]:
    kinds = [Event.MAIL_SENT, Event.MAIL_FAILED]
    found = AuditEvent.objects.filter(event__in=kinds).order_by("pk")
    return [(event.event, event.detail) for event in found]


@pytest.mark.database
def test_a_due_mail_is_sent_once(queued: OutgoingEmail, server: Server) -> None:
    states = [deliver(queued), deliver(queued)]

    assert states == [MailState.SENT, MailState.SENT]
    assert [mail.recipient for mail in server.mails] == ["anna@example.com"]
    assert server.mails[0].sender == "pbx@example.com"
    assert (queued.attempts, queued.code) == (1, 250)
    assert queued.words == "250 2.0.0 Taken over"
    assert queued.ended_at


@pytest.mark.database
def test_a_mail_that_is_not_due_waits(queued: OutgoingEmail, server: Server) -> None:
    OutgoingEmail.objects.update(due_at=timezone.now() + timedelta(seconds=5))

    assert deliver(queued) == MailState.QUEUED
    assert server.connections == 0


def test_both_parts_tell_who_where_and_how(
    queued: OutgoingEmail, server: Server
) -> None:
    deliver(queued)

    message = server.mails[0].message
    assert message["Subject"].startswith(f"{settings.SITE_NAME}: ")
    assert message["To"] == "anna@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    for text in texts(server):
        assert "anna" in text
        assert "myApps" in text
        assert "127.0.0.1" in text
        assert "not you?" in text


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_mail_speaks_the_language_of_the_login(
    queued: OutgoingEmail, server: Server, language: str
) -> None:
    OutgoingEmail.objects.update(language=language)

    deliver(queued)

    assert server.mails[0].message["Content-Language"] == language
    assert f'<html lang="{language}">' in texts(server)[1]


def test_a_second_try_has_the_same_message_id(
    queued: OutgoingEmail, server: Server
) -> None:
    deliver(queued)
    OutgoingEmail.objects.update(state=MailState.QUEUED, ended_at=None)
    deliver(queued)

    first, second = (mail.message["Message-ID"] for mail in server.mails)
    assert first == second == f"<{queued.public_id}@example.com>"


def test_the_code_is_nowhere_in_the_mail(
    queued: OutgoingEmail, server: Server, held: LoginSession
) -> None:
    # Not the year, nor an offset such as +0000.
    while (code := approval_code(held)).startswith("20") or len(set(code)) < 4:
        held.public_id = uuid4()
    held.save()

    deliver(queued)

    raw = server.mails[0].content.decode()
    for text in [raw, *texts(server)]:
        assert not re.search(rf"\b{code}\b", text)


def test_the_link_is_the_settings_and_never_the_hosts(
    server: Server, two_factor: object, configure: SettingsSetter, start: Starter
) -> None:
    configure(smtp_port=server.port)
    start(Browser(), HTTP_HOST="localhost", HTTP_X_FORWARDED_HOST="evil.example")

    deliver(OutgoingEmail.objects.get())

    login = LoginSession.objects.get()
    for text in texts(server):
        (token,) = {token.replace("%3A", ":") for token in LINK_PATTERN.findall(text)}
        assert find_by_link(token) == login
        assert len(re.findall(r"https?://", text)) == len(LINK_PATTERN.findall(text))
        assert "localhost" not in text
        assert "evil.example" not in text


@pytest.mark.database
@pytest.mark.parametrize(
    "changes",
    [
        {"state": LoginState.ACCEPTED},
        {"state": LoginState.COMPLETED},
        {"state": LoginState.REJECTED, "ending": Ending.REJECTED},
        {"state": LoginState.REJECTED, "ending": Ending.SUPERSEDED},
        {"state": LoginState.REJECTED, "ending": Ending.CANCELLED},
    ],
)
def test_no_mail_goes_out_for_a_login_that_is_over(
    queued: OutgoingEmail, server: Server, changes: dict[str, str]
) -> None:
    LoginSession.objects.update(decided_at=timezone.now(), **changes)

    assert deliver(queued) == MailState.EXPIRED
    assert server.connections == 0


@pytest.mark.database
def test_no_mail_goes_out_with_an_older_link(
    queued: OutgoingEmail, server: Server
) -> None:
    LoginSession.objects.update(link_number=2)

    assert deliver(queued) == MailState.EXPIRED
    assert server.connections == 0


@pytest.mark.database
def test_a_mail_about_a_login_that_was_deleted_keeps_no_other_from_going_out(
    queued: OutgoingEmail, server: Server, administrator: PbxUser
) -> None:
    told = OutgoingEmail.objects.create(
        kind=REJECTION.name,
        user=administrator,
        recipient=administrator.email,
        expires_at=queued.expires_at,
    )

    assert deliver(told) == MailState.EXPIRED
    assert [mail.recipient for mail in server.mails] == ["anna@example.com"]


@pytest.mark.parametrize("model", [LoginSession, OutgoingEmail])
def test_no_mail_goes_out_after_its_time(
    queued: OutgoingEmail,
    server: Server,
    model: type[LoginSession] | type[OutgoingEmail],
) -> None:
    model.objects.update(expires_at=timezone.now())

    assert deliver(queued) == MailState.EXPIRED
    assert server.connections == 0


@pytest.mark.parametrize(
    ("refusal", "stage", "code"),
    [
        ({"refuse_sender": "451 4.7.1 Busy"}, SmtpStage.MAIL_FROM, 451),
        ({"refuse_recipient": "450 4.2.1 Greylisted"}, SmtpStage.RCPT_TO, 450),
        ({"refuse_content": "452 4.3.1 Full"}, SmtpStage.DATA, 452),
    ],
)
def test_a_temporary_refusal_is_tried_again_later(
    queued: OutgoingEmail,
    server: Server,
    refusal: dict[str, str],
    stage: SmtpStage,
    code: int,
) -> None:
    vars(server).update(refusal)
    before = timezone.now()

    assert deliver(queued) == MailState.QUEUED

    assert before < queued.due_at < before + timedelta(seconds=8)
    assert queued.due_at < queued.expires_at
    assert (queued.stage, queued.code, queued.ended_at) == (stage, code, None)
    assert queued.words == next(iter(refusal.values()))
    with time_machine.travel(queued.due_at + timedelta(seconds=1)):
        vars(server).update(dict.fromkeys(refusal))
        assert deliver(queued) == MailState.SENT
    assert len(server.mails) == 1


def test_pauses_between_tries_grow_up_to_a_limit(
    queued: OutgoingEmail, server: Server
) -> None:
    server.refuse_content = "451 4.3.0 Later"
    OutgoingEmail.objects.update(expires_at=timezone.now() + timedelta(days=1))
    LoginSession.objects.update(expires_at=timezone.now() + timedelta(days=1))
    pauses = []

    for _ in range(settings.MAIL_MAX_ATTEMPTS - 1):
        with time_machine.travel(queued.due_at, tick=False):
            deliver(queued)
            pauses.append((queued.due_at - timezone.now()).total_seconds())

    wanted = [5, 10, 20, 40, 80, 120, 120]
    for pause, middle in zip(pauses, wanted, strict=True):
        assert 0.74 * middle < pause < 1.26 * middle


def test_a_server_that_cannot_be_reached_is_tried_again(
    queued: OutgoingEmail, configure: SettingsSetter
) -> None:
    configure(smtp_port=closed_port())

    assert deliver(queued) == MailState.QUEUED
    assert (queued.stage, queued.code) == (SmtpStage.CONNECT, None)
    assert queued.words


@pytest.mark.parametrize(
    "missing", [{"smtp_server": ""}, {"smtp_email_address": ""}], ids=str
)
def test_without_an_account_the_mail_waits_for_one(
    queued: OutgoingEmail,
    server: Server,
    configure: SettingsSetter,
    missing: dict[str, str],
) -> None:
    configure(two_factor=False, **missing)

    assert deliver(queued) == MailState.QUEUED
    assert queued.words
    configure(smtp_server="127.0.0.1", smtp_email_address="pbx@example.com")
    with time_machine.travel(queued.due_at + timedelta(seconds=1)):
        assert deliver(queued) == MailState.SENT


@pytest.mark.parametrize(
    "refusal",
    [
        {"refuse_sender": "550 5.7.1 No"},
        {"refuse_recipient": "550 5.1.1 Unknown"},
        {"refuse_content": "554 5.7.1 Spam"},
    ],
    ids=str,
)
def test_a_lasting_refusal_is_not_tried_again(
    queued: OutgoingEmail, server: Server, refusal: dict[str, str]
) -> None:
    vars(server).update(refusal)

    assert deliver(queued) == MailState.FAILED
    assert queued.ended_at
    assert queued.words == next(iter(refusal.values()))
    vars(server).update(dict.fromkeys(refusal))
    assert deliver(queued) == MailState.FAILED
    assert not server.mails


def test_tries_are_used_up(queued: OutgoingEmail, server: Server) -> None:
    server.refuse_content = "451 4.3.0 Later"
    OutgoingEmail.objects.update(attempts=settings.MAIL_MAX_ATTEMPTS - 1)

    assert deliver(queued) == MailState.FAILED


def test_a_try_that_would_come_too_late_is_not_waited_for(
    queued: OutgoingEmail, server: Server
) -> None:
    server.refuse_content = "451 4.3.0 Later"

    with time_machine.travel(queued.expires_at - timedelta(seconds=2)):
        assert deliver(queued) == MailState.FAILED


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_connection_lost_before_the_body_is_tried_again(
    mail: OutgoingEmail, configure: SettingsSetter, verb: str
) -> None:
    with scripted_server({verb: hang_up}) as server:
        configure(smtp_port=server.port)

        assert deliver(mail) == MailState.QUEUED


def test_a_connection_lost_after_the_body_is_unknown_and_never_sent_again(
    mail: OutgoingEmail, configure: SettingsSetter
) -> None:
    with scripted_server({".": hang_up}) as server:
        configure(smtp_port=server.port)

        assert deliver(mail) == MailState.UNKNOWN
        with time_machine.travel(timezone.now() + timedelta(minutes=6)):
            claims.requeue_abandoned()
            assert deliver(mail) == MailState.UNKNOWN

        assert len(server.bodies) == 1


def test_a_mail_that_this_site_cannot_make_fails_with_a_reason(
    queued: OutgoingEmail, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    address = "anna@example.com\nBcc: eve@example.com"
    PbxUser.objects.update(email=address)
    OutgoingEmail.objects.update(recipient=address)

    assert deliver(queued) == MailState.FAILED

    assert queued.words == "This site itself failed; the worker's log says why."
    assert events()[0][0] == Event.MAIL_FAILED
    assert any(record.exc_info for record in caplog.records)
    assert server.connections == 0


def test_a_fault_of_this_site_within_the_body_leaves_it_unknown(
    queued: OutgoingEmail, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(mail: OutgoingEmail, line: object) -> str:
        batches.write_down([mail], [])
        raise RuntimeError

    monkeypatch.setattr(sending, "_send", fail)

    assert deliver(queued) == MailState.UNKNOWN


@pytest.mark.database
def test_a_database_that_is_away_decides_nothing(
    queued: OutgoingEmail, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(mail: OutgoingEmail, line: object) -> str:
        raise OperationalError("away")

    monkeypatch.setattr(sending, "_send", fail)

    with pytest.raises(OperationalError):
        sending.deliver_due()

    queued.refresh_from_db()
    assert queued.state == MailState.SENDING


@pytest.mark.database
def test_a_worker_whose_lease_has_ended_sends_nothing(
    queued: OutgoingEmail, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAIL_LEASE_TTL", timedelta())

    assert deliver(queued) == MailState.SENDING
    assert not server.mails


def abandon(mail: OutgoingEmail, **changes: object) -> None:
    """Leave the row as a worker does that is killed."""
    values = {"lease_expires_at": timezone.now(), "attempts": 1} | changes
    OutgoingEmail.objects.update(state=MailState.SENDING, **values)


@pytest.mark.database
def test_a_mail_left_before_its_body_is_sent_after_all(
    queued: OutgoingEmail, server: Server
) -> None:
    abandon(queued)

    assert claims.requeue_abandoned() == 1
    assert deliver(queued) == MailState.SENT
    assert queued.attempts == 2


@pytest.mark.database
def test_a_mail_left_within_its_body_stays_unknown(
    queued: OutgoingEmail, server: Server
) -> None:
    abandon(queued, data_began_at=timezone.now())

    assert claims.requeue_abandoned() == 0
    assert deliver(queued) == MailState.UNKNOWN
    assert server.connections == 0
    assert events() == [(Event.MAIL_FAILED, f"approval {queued.pk}: unknown")]


@pytest.mark.database
@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"attempts": 7}, MailState.QUEUED),
        ({"attempts": 8}, MailState.FAILED),
        ({"expires_at": timezone.now()}, MailState.EXPIRED),
        ({"attempts": 8, "expires_at": timezone.now()}, MailState.EXPIRED),
    ],
)
def test_a_mail_that_kills_its_workers_is_not_tried_for_ever(
    queued: OutgoingEmail, changes: dict[str, object], state: MailState
) -> None:
    abandon(queued, **changes)

    assert claims.requeue_abandoned() == (state == MailState.QUEUED)

    queued.refresh_from_db()
    assert queued.state == state
    assert len(events()) == (state != MailState.QUEUED)


@pytest.mark.database
@pytest.mark.parametrize("data_began_at", [None, timezone.now()])
def test_a_mail_whose_worker_may_live_is_left_alone(
    queued: OutgoingEmail, data_began_at: object
) -> None:
    lease = timezone.now() + timedelta(seconds=5)
    abandon(queued, lease_expires_at=lease, data_began_at=data_began_at)

    claims.requeue_abandoned()

    assert deliver(queued) == MailState.SENDING


@pytest.mark.database
def test_the_time_of_the_body_belongs_to_one_try_alone(
    queued: OutgoingEmail, server: Server
) -> None:
    server.refuse_content = "451 4.3.0 Later"
    deliver(queued)
    assert queued.data_began_at
    OutgoingEmail.objects.update(due_at=timezone.now())
    server.refuse_recipient = "451 4.3.0 Later"

    deliver(queued)

    assert queued.data_began_at is None


@pytest.mark.database
def test_mails_of_logins_that_ended_unsent_expire(queued: OutgoingEmail) -> None:
    OutgoingEmail.objects.update(expires_at=timezone.now())

    end_overdue_mails()

    queued.refresh_from_db()
    assert queued.state == MailState.EXPIRED
    assert events() == [(Event.MAIL_FAILED, f"approval {queued.pk}: expired")]
    assert claims.expire_overdue() == 0


@pytest.mark.parametrize(
    ("refusal", "event", "outcome"),
    [
        (None, Event.MAIL_SENT, "sent 250 2.0.0 Taken over"),
        ("554 5.7.1 Spam", Event.MAIL_FAILED, "failed 554 5.7.1 Spam"),
    ],
)
def test_outcomes_are_recorded_without_the_link(
    queued: OutgoingEmail,
    server: Server,
    user: PbxUser,
    refusal: str | None,
    event: Event,
    outcome: str,
) -> None:
    server.refuse_content = refusal

    deliver(queued)

    assert events() == [(event, f"approval {queued.pk}: {outcome}")]
    login = queued.login_mail.login
    secrets = [link_token(login).partition(":")[0], approval_code(login)]
    for row in AuditEvent.objects.filter(event=event):
        assert row.user == user
        assert not [secret for secret in secrets if secret in row.detail]


@pytest.mark.database
def test_the_queues_table_holds_no_secret(
    queued: OutgoingEmail, server: Server
) -> None:
    deliver(queued)

    row = str(OutgoingEmail.objects.values().get())
    assert link_token(queued.login_mail.login).partition(":")[0] not in row
    assert LINK not in row


@pytest.mark.database
def test_the_sweep_wakes_what_is_due(
    queued: OutgoingEmail, server: Server, at_once: None
) -> None:
    later = timezone.now() + timedelta(seconds=30)
    OutgoingEmail.objects.update(due_at=later)

    wake_due_mails()
    assert not server.mails
    with time_machine.travel(later + timedelta(seconds=1)):
        wake_due_mails()

    assert len(server.mails) == 1


@pytest.mark.database
def test_the_sweep_takes_back_what_was_abandoned(
    queued: OutgoingEmail, server: Server, at_once: None
) -> None:
    abandon(queued)

    wake_due_mails()

    assert len(server.mails) == 1
