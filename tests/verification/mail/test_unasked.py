"""What a worker does while nobody wakes it."""

from __future__ import annotations

import pytest

from tests.conftest import SettingsSetter
from tests.support.smtp_servers import Server
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
