"""What a worker does while nobody wakes it."""

from __future__ import annotations

import time
from threading import Event

import pytest
from celery.signals import celeryd_after_setup, worker_shutting_down
from celery.utils.dispatch import Signal
from django.utils import timezone

from tests.conftest import SettingsSetter
from tests.support.smtp_servers import Server
from verification.lookouts import Lookout
from verification.mail import sending, unasked
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(configure: SettingsSetter, server: Server) -> Server:
    configure(smtp_port=server.port, smtp_server="127.0.0.1")
    return server


@pytest.fixture
def unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending.Asked, "at", float("-inf"))


@pytest.mark.database
@pytest.mark.usefixtures("unheard")
def test_a_worker_that_hears_nothing_sends_what_is_due(
    mail: OutgoingEmail, server: Server
) -> None:
    unasked.look()

    assert OutgoingEmail.objects.get().state == MailState.SENT
    assert len(server.mails) == 1


@pytest.mark.database
@pytest.mark.usefixtures("unheard")
def test_a_worker_that_hears_nothing_sends_what_a_dead_one_had(
    mail: OutgoingEmail, server: Server
) -> None:
    OutgoingEmail.objects.update(
        state=MailState.SENDING, lease_expires_at=timezone.now(), attempts=1
    )

    unasked.look()

    assert OutgoingEmail.objects.get().state == MailState.SENT
    assert len(server.mails) == 1


def test_a_worker_that_was_just_asked_leaves_it_at_that(
    mail: OutgoingEmail, server: Server
) -> None:
    sending.deliver_mails()
    OutgoingEmail.objects.update(state=MailState.QUEUED, ended_at=None)

    unasked.look()

    assert OutgoingEmail.objects.get().state == MailState.QUEUED


@pytest.mark.usefixtures("unheard")
def test_a_worker_that_ends_takes_up_nothing_more(
    mail: OutgoingEmail, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = list[bool]()
    monkeypatch.setattr(
        sending, "deliver_due", lambda hand_on: goes_on.append(not hand_on())
    )
    monkeypatch.setattr(unasked.lookout.over, "is_set", lambda: True)

    unasked.look()

    assert goes_on == [False]


@pytest.mark.parametrize(
    ("signal", "name"), [(celeryd_after_setup, "begin"), (worker_shutting_down, "end")]
)
@pytest.mark.parametrize("lookout", [unasked.lookout, unasked.trial_lookout])
def test_each_worker_looks_from_its_start_to_its_end(
    signal: Signal, name: str, lookout: Lookout
) -> None:
    asked = [receiver() for _key, receiver in signal.receivers]

    assert getattr(lookout, name) in asked


def test_a_look_that_has_begun_is_finished_and_no_other_begins() -> None:
    looked, goes_on = list[int](), Event()

    def look() -> None:
        looked.append(1)
        assert goes_on.wait(10)

    finished = Lookout(look, 0.01, is_finished=True)
    finished.begin()
    while not looked:
        time.sleep(0.01)
    finished.end()
    goes_on.set()

    assert finished._thread
    assert not finished._thread.daemon
    finished._thread.join(10)
    assert looked == [1]
