"""What is under way while a person is erased brings nothing back."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser

from authconfig.choices import Event, Method
from authconfig.models import AuthenticationSettings
from authconfig.users import audit
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.people import erasure, naming
from pbxsite.people.erasure import erase
from tests.conftest import SettingsSetter, Starter
from tests.pbxsite.people.conftest import HERE
from tests.support.recordings import wav
from tests.support.scripted_smtp import scripted_server
from tests.verification.test_concurrency import at_once
from verification.approval import flows
from verification.approval.choices import LoginFacts
from verification.approval.models import LoginSession
from verification.approval.tokens import approval_code
from verification.mail import sending
from verification.mail.models import OutgoingEmail
from verification.sessions.choices import Approver
from verification.voicemail import flows as voicemail_flows
from verification.voicemail.choices import VoicemailFault

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
ROUNDS = range(10)


@pytest.fixture(autouse=True)
def _on_postgresql() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL's locks")


def make() -> PbxUser:
    return PbxUser.objects.create_user("xyzzy", None, email="xyzzy@example.com")


def traces() -> list[str]:
    """Return what still names the person, or was made for them."""
    events = AuditEvent.objects.exclude(user_name__startswith="erased")
    told = [f"{each.event} {each.user_name} {each.detail}" for each in events]
    rows = [*LoginSession.objects.all(), *OutgoingEmail.objects.all()]
    return [text for text in told if "xyzzy" in text] + [str(row) for row in rows]


def erase_in_thread(user: PbxUser) -> None:
    erase(PbxUser.objects.get(pk=user.pk), actor=None)


def quietly(call: Callable[[], object]) -> None:
    """What comes too late may fail, but only for want of the user."""
    with suppress(IntegrityError, PbxUser.DoesNotExist):
        call()


def test_a_login_that_begins_meanwhile(two_factor: AuthenticationSettings) -> None:
    for _ in ROUNDS:
        user = make()
        facts = LoginFacts("myapps", Method.PASSWORD, HERE, "en")  # type: ignore[arg-type]

        at_once(
            partial(quietly, partial(flows.start_login, user, facts)),
            partial(erase_in_thread, user),
        )

        assert traces() == []


def test_an_event_that_is_recorded_meanwhile(db: None) -> None:
    for _ in ROUNDS:
        user = make()
        record = partial(audit.record, Event.LOGIN_FAILED, user=user, origin=HERE)

        at_once(
            *2 * [partial(quietly, record)],
            partial(erase_in_thread, user),
        )

        assert traces() == []
        assert not AuditEvent.objects.filter(address=HERE.address).exists()


def test_an_event_that_comes_after_the_digests_and_before_the_end(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make()
    record = partial(audit.record, Event.LOGIN_FAILED, user=user, origin=HERE)
    leave_digests, late = naming.leave_digests, Thread(target=in_thread, args=[record])

    def leave_digests_and_be_late(person: naming.Person) -> int:
        left = leave_digests(person)
        late.start()
        await_blocked()
        return left

    monkeypatch.setattr(naming, "leave_digests", leave_digests_and_be_late)

    erase(user, actor=None)

    late.join()
    assert traces() == []
    assert not AuditEvent.objects.filter(address=HERE.address).exists()


def test_whoever_records_a_mail_and_whoever_erases_wait_in_one_order(
    two_factor: AuthenticationSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "TRIES", 1)
    user = make()
    facts = LoginFacts("myapps", Method.PASSWORD, HERE, "en")  # type: ignore[arg-type]
    flows.start_login(user, facts)
    erasing = Thread(target=in_thread, args=[partial(erase_in_thread, user)])

    with transaction.atomic():
        OutgoingEmail.objects.select_for_update(of=("self",)).get()
        erasing.start()
        await_blocked()
        # In the other order each would wait for the other, and one be ended.
        audit.record(Event.MAIL_SENT, user=user, origin=HERE)
    erasing.join()

    assert traces() == []


def in_thread(call: Callable[[], object]) -> None:
    try:
        quietly(call)
    finally:
        connection.close()


def await_blocked() -> None:
    """Wait until somebody waits for another's lock, for two seconds at most."""
    limit = time.monotonic() + 2
    with connection.cursor() as cursor:
        while time.monotonic() < limit:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return
            time.sleep(0.02)


def test_a_login_that_is_completed_meanwhile(
    two_factor: AuthenticationSettings, start: Starter, user: PbxUser
) -> None:
    browser = Browser()
    start(browser)
    login = LoginSession.objects.get()
    flows.accept(login, approval_code(login), approver=Approver.EMAIL, origin=HERE)

    erase(user, actor=None)
    answer = browser.post("/login/waiting/continue/")

    assert answer.status_code < 500
    assert browser.get("/account/").status_code == 302
    assert not AuditEvent.objects.filter(user_name="anna").exists()
    assert flows.complete(login, user) is False


def test_a_mail_that_the_server_takes_meanwhile(
    two_factor: AuthenticationSettings, configure: SettingsSetter
) -> None:
    user, other = make(), PbxUser.objects.create_user("o", None, email="o@example.com")
    facts = LoginFacts("myapps", Method.PASSWORD, HERE, "en")  # type: ignore[arg-type]
    for each in (user, other):
        flows.start_login(each, facts)
    erased = []

    def erase_within_the_body(connected: socket.socket) -> None:
        if not erased:
            erased.append(erase(user, actor=None))
            connection.close()
        connected.sendall(b"250 2.0.0 taken\r\n")

    with scripted_server({".": erase_within_the_body}) as server:
        configure(smtp_port=server.port)
        sending.deliver_due()

    assert len(server.bodies) == 2
    assert [m.user for m in OutgoingEmail.objects.filter(state="sent")] == [other]
    sent = AuditEvent.objects.filter(event=Event.MAIL_SENT)
    assert [event.user for event in sent] == [other]
    assert not AuditEvent.objects.filter(user_name="xyzzy").exists()


def test_mails_that_are_recorded_while_their_users_are_erased(
    two_factor: AuthenticationSettings, configure: SettingsSetter
) -> None:
    facts = LoginFacts("myapps", Method.PASSWORD, HERE, "en")  # type: ignore[arg-type]
    with scripted_server({}) as server:
        configure(smtp_port=server.port)
        for _ in ROUNDS:
            user = make()
            flows.start_login(user, facts)

            at_once(sending.deliver_due, partial(erase_in_thread, user))

            assert traces() == []


def test_a_voicemail_that_is_posted_meanwhile(
    two_factor: AuthenticationSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make()
    keep = voicemail_flows.recordings.keep

    def keep_late(*args: object) -> str:
        erase(user, actor=None)
        return keep(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(voicemail_flows.recordings, "keep", keep_late)
    recording = ContentFile(wav(0.1), "a.wav")
    posted = voicemail_flows.PostedVoicemail("xyzzy", recording)

    assert voicemail_flows.take(posted, HERE) is VoicemailFault.NOBODY
    assert traces() == []
