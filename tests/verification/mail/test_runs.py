"""A worker's run through the queue: connections, order, leases, doubt."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_bytes
from io import BytesIO
from pathlib import Path
from threading import Event, Thread

import pytest
import time_machine
from django.conf import settings
from django.core.files import File
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from authconfig.choices import Event as Audited
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.support.recordings import wav
from tests.support.scripted_smtp import hang_up, scripted_server, stay_silent
from tests.support.smtp_servers import Server
from verification.mail import claims, sending
from verification.mail.choices import MailPriority, MailState
from verification.mail.fast import batches
from verification.mail.models import OutgoingEmail
from verification.mail.smtp import Line
from verification.mail.smtp import connection as connections
from verification.sessions.passwords import PASSWORD_NOTICE
from verification.voicemail import recordings
from verification.voicemail.mails import VOICEMAIL
from verification.voicemail.models import Voicemail

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("two_factor")]
Queue = Callable[..., OutgoingEmail]


@pytest.fixture
def server(configure: SettingsSetter, server: Server) -> Server:
    configure(smtp_port=server.port)
    return server


@pytest.fixture
def queue(user: PbxUser) -> Queue:
    """Queue a mail to Anna, by default the notice of a changed password."""

    def add(kind: str = PASSWORD_NOTICE.name, **values: object) -> OutgoingEmail:
        facts = {"expires_at": timezone.now() + timedelta(days=1)} | values
        facts = {"user": user, "recipient": user.email} | facts
        return OutgoingEmail.objects.create(kind=kind, **facts)

    return add


@pytest.fixture
def voicemail(queue: Queue, tmp_path: Path, settings: Settings) -> Queue:
    place = {"OPTIONS": {"location": str(tmp_path)}}
    changed = settings.STORAGES["recordings"] | place
    settings.STORAGES = settings.STORAGES | {"recordings": changed}

    def add(**values: object) -> OutgoingEmail:
        mail = queue(VOICEMAIL.name, priority=VOICEMAIL.priority, **values)
        name = recordings.keep(File(BytesIO(wav(0.1))), ".wav")
        Voicemail.objects.create(mail=mail, recording=name, content_type="audio/wav")
        return mail

    return add


def states() -> list[str]:
    return list(OutgoingEmail.objects.order_by("pk").values_list("state", flat=True))


# Connections


def test_a_connection_is_kept_between_mails_and_runs(
    queue: Queue, server: Server
) -> None:
    for _ in range(3):
        queue()
        queue()
        sending.deliver_due()

    assert (len(server.mails), server.connections) == (6, 1)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_many_mails_share_the_accounts_connections(
    queue: Queue, server: Server, configure: SettingsSetter
) -> None:
    configure(smtp_connections=3, smtp_mails_per_connection=100)
    server.before_reply = lambda: time.sleep(0.02)
    mails = {str(queue().public_id) for _ in range(30)}

    sending.deliver_due()

    assert server.connections == 3
    sent = [str(mail.message["Message-ID"])[1:37] for mail in server.mails]
    assert (len(sent), set(sent)) == (30, mails)
    assert AuditEvent.objects.filter(event=Audited.MAIL_SENT).count() == 30


def test_one_mail_opens_one_connection(
    queue: Queue, server: Server, configure: SettingsSetter
) -> None:
    configure(smtp_connections=20)
    queue()

    sending.deliver_due()

    assert server.connections == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_server_that_takes_one_connection_gets_all_mails_by_it(
    queue: Queue, configure: SettingsSetter
) -> None:
    greeted: list[int] = []

    def greet_one(connection: socket.socket) -> None:
        greeted.append(1)
        is_first = len(greeted) == 1
        words = b"220 hello" if is_first else b"421 4.7.0 Too many connections"
        connection.sendall(words + b"\r\n")

    def take_time(connection: socket.socket) -> None:
        time.sleep(0.01)
        connection.sendall(b"250 2.0.0 Taken over\r\n")

    with scripted_server({"GREETING": greet_one, ".": take_time}) as server:
        many = {"smtp_connections": 3, "smtp_mails_per_connection": 100}
        configure(smtp_port=server.port, **many)
        for _ in range(20):
            queue()

        sending.deliver_due()

    assert len(greeted) > 1
    assert set(states()) == {MailState.SENT}
    assert len(server.bodies) == 20
    assert not AuditEvent.objects.filter(event=Audited.MAIL_DELAYED).exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_connection_without_an_answer_keeps_no_mail_waiting(
    queue: Queue, configure: SettingsSetter
) -> None:
    greeted: list[int] = []

    def greet_one(connection: socket.socket) -> None:
        greeted.append(1)
        if len(greeted) > 1:
            stay_silent(connection)
        connection.sendall(b"220 hello\r\n")

    def take_time(connection: socket.socket) -> None:
        time.sleep(0.01)
        connection.sendall(b"250 2.0.0 Taken over\r\n")

    with scripted_server({"GREETING": greet_one, ".": take_time}) as server:
        configure(smtp_connections=3, smtp_port=server.port)
        began = time.monotonic()
        for _ in range(2):
            for _ in range(4):
                queue()
            sending.deliver_due()

        # As OpenSMTPD leaves them: the site waits half a minute for the greeting.
        assert time.monotonic() - began < 8
        assert len(server.bodies) == 8
        assert 1 < len(greeted) <= 3
    assert set(states()) == {MailState.SENT}


def test_another_account_takes_another_connection(
    queue: Queue, server: Server, configure: SettingsSetter
) -> None:
    queue()
    sending.deliver_due()
    configure(smtp_email_address="telephone@example.com")
    queue()

    sending.deliver_due()

    assert server.connections == 2
    assert server.mails[1].sender == "telephone@example.com"


@pytest.mark.parametrize(("share", "needed"), [(None, 3), (2, 11), (100, 1)])
def test_a_connection_has_its_share_of_mails(
    queue: Queue, server: Server, configure: SettingsSetter, share: int, needed: int
) -> None:
    if share:
        configure(smtp_mails_per_connection=share)
    for _ in range(21):
        queue()

    sending.deliver_due()

    assert len(server.mails) == 21
    # One may have been opened in advance.
    assert needed <= server.connections <= needed + 1


@pytest.mark.parametrize(("places", "second"), [(1, "refused"), (2, "open")])
def test_the_next_connection_is_opened_while_the_last_mails_of_one_go(
    queue: Queue,
    configure: SettingsSetter,
    monkeypatch: pytest.MonkeyPatch,
    places: int,
    second: str,
) -> None:
    # Earlier than usual, so that a busy machine is in time as well.
    monkeypatch.setattr(connections, "LAST_MAILS", 0.8)
    events: list[str] = []

    def greet(connection: socket.socket) -> None:
        if events.count("open") - events.count("quit") >= places:
            events.append("refused")
            connection.sendall(b"421 Too many concurrent SMTP connections\r\n")
            hang_up(connection)
        events.append("open")
        connection.sendall(b"220 hello\r\n")

    def part(connection: socket.socket) -> None:
        events.append("quit")
        connection.sendall(b"221 bye\r\n")
        hang_up(connection)

    def take(connection: socket.socket) -> None:
        time.sleep(0.02)
        connection.sendall(b"250 taken\r\n")

    with scripted_server({"GREETING": greet, "QUIT": part, ".": take}) as server:
        configure(smtp_port=server.port)
        for _ in range(25):
            queue()
        sending.deliver_due()

        assert len(server.bodies) == 25
    assert set(OutgoingEmail.objects.values_list("state", "attempts")) == {
        (MailState.SENT, 1)
    }
    assert events[:3] == ["open", second, "quit"]
    # A server with one place is asked for another one only once.
    assert events.count("refused") == (second == "refused")
    assert events.count("open") in (3, 4)


@pytest.mark.parametrize(
    "tired", [b"421 4.7.0 Idle for too long\r\n", b"452 4.5.3 Too many\r\n", hang_up]
)
def test_a_connection_that_has_ended_costs_no_try(
    queue: Queue, configure: SettingsSetter, tired: object
) -> None:
    queue()
    with scripted_server() as server:
        configure(smtp_port=server.port)
        sending.deliver_due()
        answers = iter([tired])
        polite = server.script["MAIL"]

        def answer(connection: socket.socket) -> None:
            words = next(answers, polite)
            if isinstance(words, bytes):
                connection.sendall(words)
            else:
                words(connection)  # type: ignore[operator]

        server.script["MAIL"] = answer
        second = queue()
        sending.deliver_due()

        second.refresh_from_db()
        assert (second.state, second.attempts) == (MailState.SENT, 1)
        assert server.verbs.count("EHLO") == 2


@pytest.mark.parametrize(
    ("priority", "greetings"), [(MailPriority.LATER, 1), (MailPriority.URGENT, 2)]
)
def test_after_a_pause_an_urgent_mail_goes_over_a_new_connection(
    queue: Queue,
    configure: SettingsSetter,
    monkeypatch: pytest.MonkeyPatch,
    priority: MailPriority,
    greetings: int,
) -> None:
    monkeypatch.setattr(connections, "TRUSTED_SECONDS", 0.0)
    with scripted_server() as server:
        configure(smtp_port=server.port)
        queue(priority=priority)
        sending.deliver_due()
        queue(priority=priority)
        sending.deliver_due()

        assert server.verbs.count("EHLO") == greetings
        # Others ask first whether the server is still there.
        assert server.verbs.count("NOOP") == 2 - greetings
        assert len(server.bodies) == 2


def test_an_idle_connection_is_closed(
    queue: Queue, configure: SettingsSetter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.1)
    with scripted_server() as server:
        configure(smtp_port=server.port)
        queue()
        sending.deliver_due()
        limit = time.monotonic() + 5
        while server.verbs[-1] != "QUIT" and time.monotonic() < limit:
            time.sleep(0.05)

        assert server.verbs[-1] == "QUIT"


# Order


@pytest.mark.long
def test_verification_mails_are_claimed_before_thousands_of_recordings(
    queue: Queue, user: PbxUser
) -> None:
    earlier = timezone.now() - timedelta(hours=1)
    OutgoingEmail.objects.bulk_create(
        OutgoingEmail(
            kind=VOICEMAIL.name,
            priority=VOICEMAIL.priority,
            user=user,
            recipient=user.email,
            due_at=earlier,
            expires_at=earlier + timedelta(days=1),
        )
        for _ in range(10_000)
    )
    urgent = queue()

    claimed = claims.claim(3)

    assert claimed[0] == urgent
    kinds = [mail.priority for mail in claimed]
    assert kinds == [MailPriority.URGENT, MailPriority.LATER, MailPriority.LATER]


def test_a_mail_that_comes_in_between_goes_before_the_recordings_that_wait(
    voicemail: Queue, queue: Queue, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "GLANCE_SECONDS", 0.0)
    # All are claimed at once, before the urgent mail is there.
    monkeypatch.setattr(batches.Stock, "_wanted", lambda self: 9)
    for _ in range(8):
        voicemail()
    come = iter([queue])
    deliver = sending.deliver

    def deliver_and_queue(mail: OutgoingEmail, line: Line) -> None:
        deliver(mail, line)
        for add in come:
            add()

    monkeypatch.setattr(sending, "deliver", deliver_and_queue)

    sending.deliver_due()

    subjects = ["password" in str(mail.message["Subject"]) for mail in server.mails]
    assert subjects == [False, True, *7 * [False]]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_thread_that_claims_more_keeps_no_other_from_what_is_there(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [queue().pk for _ in range(8)]
    is_claiming, goes_on = Event(), Event()
    claim = claims.claim

    def claim_slowly(count: int, **limits: object) -> list[OutgoingEmail]:
        is_claiming.set()
        assert goes_on.wait(10)
        return claim(count)

    def take_and_hang_up() -> None:
        late.append(stock.take())
        connection.close()

    late = list[OutgoingEmail | None]()
    stock = batches.Stock(2)
    # Two, and two of the next four: whoever is so quick soon needs more.
    taken = [stock.take() for _ in range(4)]
    monkeypatch.setattr(claims, "claim", claim_slowly)
    other = Thread(target=take_and_hang_up)
    other.start()
    assert is_claiming.wait(10)
    taken += [stock.take() for _ in range(2)]
    assert not late
    goes_on.set()
    other.join(10)

    assert [mail.pk for mail in taken + late if mail] == keys[:7]


def test_a_queue_that_had_no_more_is_asked_when_nothing_is_left(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(30):
        queue()
    claim, sizes = claims.claim, list[tuple[int, int]]()

    def count(wanted: int, **limits: object) -> list[OutgoingEmail]:
        mails = claim(wanted)
        sizes.append((wanted, len(mails)))
        return mails

    monkeypatch.setattr(claims, "claim", count)
    stock = batches.Stock(5)

    assert len(list(iter(stock.take, None))) == 30
    assert sizes == [(5, 5), (10, 10), (15, 15), (30, 0), (80, 0)]


def test_what_is_claimed_goes_out_though_no_more_can_be_claimed(
    queue: Queue, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        queue()
    claim, is_there = claims.claim, iter([True, True])

    def claim_and_fail(count: int, **limits: object) -> list[OutgoingEmail]:
        if next(is_there, False):
            return claim(count)
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(claims, "claim", claim_and_fail)
        with pytest.raises(OperationalError):
            sending.deliver_due()

    assert states() == [*3 * [MailState.SENT], *2 * [MailState.QUEUED]]


def test_a_mail_that_was_claimed_anew_is_still_held(queue: Queue) -> None:
    queue()
    stock = batches.Stock(1)
    lost = stock.take()
    assert lost
    OutgoingEmail.objects.update(state=MailState.QUEUED)
    anew = stock.take()

    stock.finish(lost)
    assert stock.mails() == [anew]

    stock.finish(anew)
    stock.finish(anew)
    assert stock.mails() == []


def test_words_that_grow_by_the_stars_of_a_secret_still_fit(
    queue: Queue, configure: SettingsSetter
) -> None:
    mail = queue()
    with scripted_server({".": b"250 " + b"?id=a" * 99 + b"\r\n"}) as server:
        configure(smtp_port=server.port)
        sending.deliver_due()
    mail.refresh_from_db()

    assert (mail.state, len(mail.words)) == (MailState.SENT, 500)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_whoever_is_woken_meanwhile_leaves_the_mail_to_the_run_that_runs(
    queue: Queue, server: Server
) -> None:
    def queue_another() -> None:
        server.before_reply = None
        queue()
        # Returns at once: the run below has not come back from the server.
        sending.deliver_due()
        connection.close()

    server.before_reply = queue_another
    queue()

    sending.deliver_due()

    assert states() == [MailState.SENT, MailState.SENT]
    assert server.connections == 1


def test_a_long_run_hands_on_and_leaves_no_claim(
    queue: Queue, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "RUN_SECONDS", -1.0)
    queue()
    asked: list[int] = []

    sending.deliver_due(hand_on=lambda: bool(asked.append(1) or len(asked) > 2))

    assert len(asked) == 3
    assert states() == [MailState.QUEUED]


# Leases


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_lease_lives_as_long_as_its_worker(
    queue: Queue, server: Server, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(sending, "LEASES_RENEWED_EVERY", 0.1)
    settings.MAIL_LEASE_TTL = timedelta(seconds=0.5)
    seen: list[bool] = []

    def look_a_second() -> None:
        time.sleep(1)
        seen.append(OutgoingEmail.objects.abandoned().exists())
        connection.close()

    server.before_reply = look_a_second
    queue()

    sending.deliver_due()

    assert (seen, states()) == ([False], [MailState.SENT])


def test_a_dead_workers_claims_go_out_within_half_a_minute(
    queue: Queue, server: Server
) -> None:
    queue()
    queue()
    dead = claims.claim(2)
    assert all(mail.state == MailState.SENDING for mail in dead)
    later = timezone.now() + timedelta(seconds=31)
    assert timedelta(seconds=30) >= settings.MAIL_LEASE_TTL

    with time_machine.travel(later):
        assert claims.requeue_abandoned() == 2
        sending.deliver_due()

    assert (len(server.mails), states()) == (2, 2 * [MailState.SENT])


def test_what_was_sent_while_the_database_was_away_is_recorded_later(
    queue: Queue, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(beginning: list[OutgoingEmail], sent: list[batches.Sent]) -> set[int]:
        if sent:
            raise OperationalError("away")
        return write_down(beginning, sent)

    queue()
    write_down = batches.write_down
    with monkeypatch.context() as patch:
        patch.setattr(batches, "write_down", fail)
        with pytest.raises(OperationalError):
            sending.deliver_due()
    assert states() == [MailState.SENDING]

    sending.deliver_due()

    assert (len(server.mails), states()) == (1, [MailState.SENT])


def test_what_was_sent_under_a_lost_claim_is_not_recorded(
    queue: Queue, server: Server
) -> None:
    kept, lost = queue(), queue()
    sent = [
        batches.Sent(mail, "250 2.0.0 Taken over", timezone.now())
        for mail in claims.claim(2)
    ]
    OutgoingEmail.objects.filter(pk=lost.pk).update(attempts=2)

    batches.write_down([], sent)

    assert states() == [MailState.SENT, MailState.SENDING]
    [told] = AuditEvent.objects.filter(event=Audited.MAIL_SENT)
    assert told.detail == f"password {kept.pk}: sent 250 2.0.0 Taken over"
    assert (told.user, told.user_name) == (kept.user, "anna")
    assert (told.actor, told.address, told.proof) == (None, None, "")


def test_what_begins_and_what_was_sent_is_written_together(queue: Queue) -> None:
    first, second, lost = queue(), queue(), queue()
    mails = {mail.pk: mail for mail in claims.claim(3)}
    OutgoingEmail.objects.filter(pk=lost.pk).update(attempts=2)
    assert batches.write_down([mails[first.pk]], []) == {first.pk}
    sent = batches.Sent(mails[first.pk], "250 Ok", timezone.now())

    begun = batches.write_down([mails[second.pk], mails[lost.pk]], [sent])

    assert begun == {second.pk}
    assert states() == [MailState.SENT, MailState.SENDING, MailState.SENDING]
    began = OutgoingEmail.objects.order_by("pk").values_list("data_began_at", flat=True)
    assert [moment is not None for moment in began] == [True, True, False]
    assert mails[lost.pk].data_began_at is None
    assert AuditEvent.objects.filter(event=Audited.MAIL_SENT).count() == 1


def test_nothing_begins_after_its_lease_has_ended(queue: Queue) -> None:
    queue()
    queue()
    mails = claims.claim(2)

    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        assert batches.write_down(mails, []) == set()


# Doubt


def test_a_recording_in_doubt_goes_once_more_with_the_same_message_id(
    voicemail: Queue, configure: SettingsSetter
) -> None:
    voicemail()
    with scripted_server({".": hang_up}) as server:
        configure(smtp_port=server.port)

        sending.deliver_due()

        assert states() == [MailState.UNKNOWN]
        sent = [message_from_bytes(body)["Message-ID"] for body in server.bodies]
        assert len(sent) == 2
        assert len(set(sent)) == 1


def test_a_recording_left_within_its_body_goes_once_more(
    voicemail: Queue, server: Server
) -> None:
    voicemail()
    [mail] = claims.claim(1)
    assert batches.write_down([mail], []) == {mail.pk}
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        claims.requeue_abandoned()
        sending.deliver_due()

    assert (len(server.mails), states()) == (1, [MailState.SENT])


# Retention


def test_mails_that_are_over_are_forgotten_after_a_while(
    queue: Queue, settings: Settings
) -> None:
    now = timezone.now()
    for days, state in [(31, MailState.SENT), (29, MailState.FAILED)]:
        queue(state=state, ended_at=now - timedelta(days=days))
    waiting = queue(created_at=now - timedelta(days=99))

    settings.MAIL_RETENTION_TTL = timedelta()
    assert claims.forget_old() == 0
    settings.MAIL_RETENTION_TTL = timedelta(days=30)
    assert claims.forget_old() == 1

    assert states() == [MailState.FAILED, MailState.QUEUED]
    assert OutgoingEmail.objects.get(state=MailState.QUEUED) == waiting


@pytest.fixture
def cannot_record(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Let the database write no outcome, as if locked; calling it ends the lock."""

    def fail(beginning: list[OutgoingEmail], sent: list[batches.Sent]) -> set[int]:
        if sent:
            raise OperationalError("database is locked")
        return write_down(beginning, sent)

    write_down = batches.write_down
    monkeypatch.setattr(batches, "write_down", fail)
    yield lambda: monkeypatch.setattr(batches, "write_down", write_down)
    monkeypatch.setattr(batches, "write_down", write_down)
    sending.recorder.flush()


def send_unrecorded() -> None:
    """Send what is due; the lease ends before anything can be recorded of it."""
    with pytest.raises(OperationalError):
        sending.deliver_due()
    OutgoingEmail.objects.update(lease_expires_at=timezone.now())


def test_what_a_worker_sent_and_could_not_record_it_never_sends_again(
    voicemail: Queue, queue: Queue, server: Server, cannot_record: Callable[[], None]
) -> None:
    voicemail()
    queue()
    for _ in range(2):
        send_unrecorded()
    # The sweep of another worker knows nothing of it.
    claims.requeue_abandoned()
    with pytest.raises(OperationalError):
        sending.deliver_due()
    cannot_record()
    sending.deliver_due()

    assert states() == [MailState.SENT, MailState.SENT]
    assert len(server.mails) == 2


def test_its_own_sweep_takes_nothing_back_that_it_sent(
    queue: Queue, server: Server, cannot_record: Callable[[], None]
) -> None:
    queue()
    send_unrecorded()
    cannot_record()

    sending.take_back_abandoned()

    assert states() == [MailState.SENT]
    assert not AuditEvent.objects.filter(event=Audited.MAIL_FAILED).exists()


def test_what_was_sent_is_not_claimed_whatever_its_row_says(queue: Queue) -> None:
    mail = queue()

    assert batches.Stock(1, unwritten=lambda: {mail.pk}).take() is None
    assert batches.Stock(1).take()


def test_whoever_claimed_it_since_decides_what_it_is(queue: Queue) -> None:
    mail = queue()
    claims.claim(1)
    mail.refresh_from_db()
    OutgoingEmail.objects.update(state=MailState.QUEUED)
    claims.claim(1)

    assert not claims.note_sent(mail, "250 Ok", timezone.now())
    assert states() == [MailState.SENDING]
