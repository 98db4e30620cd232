"""A morning's mails by real servers with their own limits; each case takes minutes."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support import exim, postfix
from tests.support.certificates import make_authority
from tests.support.recordings import wav
from verification.approval.mails import APPROVAL
from verification.approval.models import LoginMail, LoginSession
from verification.mail import sending
from verification.mail.choices import MailPriority, MailState
from verification.mail.models import OVER, OutgoingEmail
from verification.voicemail.mails import VOICEMAIL
from verification.voicemail.models import Voicemail

pytestmark = [
    pytest.mark.long,
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not (exim.IS_POSSIBLE and postfix.IS_POSSIBLE),
        reason="needs Exim and Postfix, and root to start them",
    ),
]
# The sweep looks so often whether mails are due.
SWEEP_SECONDS = 5.0


@pytest.fixture(autouse=True)
def _account(two_factor: object, configure: SettingsSetter) -> None:
    configure(smtp_connections=3)


@pytest.fixture
def recordings(tmp_path: Path, settings: Settings) -> Path:
    place = {"OPTIONS": {"location": str(tmp_path)}}
    changed = settings.STORAGES["recordings"] | place
    settings.STORAGES = settings.STORAGES | {"recordings": changed}
    return tmp_path


def queue_verifications(count: int) -> list[str]:
    """Queue as many logins' mails, and return what their Message-IDs begin with."""
    first = PbxUser.objects.count()
    users = PbxUser.objects.bulk_create(
        PbxUser(name=name, name_key=name, email=f"{name}@example.com")
        for name in (f"user{first + number}" for number in range(count))
    )
    expires_at = timezone.now() + timedelta(minutes=60)
    known = {"kind": "myapps", "method": "password", "expires_at": expires_at}
    logins = LoginSession.objects.bulk_create(
        LoginSession(user=user, **known) for user in users
    )
    mails = _queue(APPROVAL.name, MailPriority.URGENT, users)
    LoginMail.objects.bulk_create(
        LoginMail(mail=mail, login=login, link_number=login.link_number)
        for mail, login in zip(mails, logins, strict=True)
    )
    return [str(mail.public_id) for mail in mails]


def queue_recordings(count: int, place: Path, user: PbxUser) -> list[str]:
    (place / "tone.wav").write_bytes(wav(1.0))
    mails = _queue(VOICEMAIL.name, MailPriority.LATER, [user] * count)
    Voicemail.objects.bulk_create(
        Voicemail(mail=mail, recording="tone.wav", content_type="audio/wav")
        for mail in mails
    )
    return [str(mail.public_id) for mail in mails]


def _queue(
    kind: str, priority: MailPriority, users: list[PbxUser]
) -> list[OutgoingEmail]:
    expires_at = timezone.now() + timedelta(minutes=60)
    known = {"kind": kind, "priority": priority, "expires_at": expires_at}
    return OutgoingEmail.objects.bulk_create(
        OutgoingEmail(user=user, recipient=user.email, **known) for user in users
    )


def send_all(seconds: float) -> None:
    limit = time.monotonic() + seconds
    while OutgoingEmail.objects.exclude(state__in=OVER).exists():
        assert time.monotonic() < limit, "not all were sent"
        sending.deliver_due()
        if OutgoingEmail.objects.exclude(state__in=OVER).exists():
            time.sleep(SWEEP_SECONDS)


def assert_sent_once(urgent_first: bool = True) -> None:
    outcomes = OutgoingEmail.objects.order_by().values_list("state", "attempts")
    assert set(outcomes) == {(MailState.SENT, 1)}
    if urgent_first:
        in_turn = OutgoingEmail.objects.order_by("ended_at", "priority")
        kinds = [mail.priority for mail in in_turn]
        later = kinds.count(MailPriority.LATER)
        # Some recordings may be under way while the last urgent ones go.
        assert kinds[: -later - 10].count(MailPriority.LATER) == 0


def test_exim_with_its_defaults_delivers_a_morning(
    recordings: Path, user: PbxUser, configure: SettingsSetter
) -> None:
    with exim.running_exim() as server:
        configure(smtp_port=server.port)
        names = queue_recordings(300, recordings, user) + queue_verifications(1500)

        send_all(300)

        half = server.await_mails(900, 10)
        assert len(half) >= 900
        found = server.await_mails(1800, 50)
        assert found == sorted(names)
        assert server.queued == 0
    assert_sent_once()


def test_exim_with_its_defaults_delivers_what_comes_by_and_by(
    configure: SettingsSetter,
) -> None:
    names = []
    with exim.running_exim() as server:
        configure(smtp_port=server.port)
        for _ in range(50):
            names += queue_verifications(1)
            sending.deliver_due()
            time.sleep(2)

        assert server.await_mails(50, 10) == sorted(names)
        assert server.queued == 0
    assert_sent_once()


def test_exim_with_two_connections_takes_all_by_them(
    recordings: Path, user: PbxUser, configure: SettingsSetter
) -> None:
    with exim.running_exim(options="smtp_accept_max = 2") as server:
        configure(smtp_port=server.port)
        names = queue_recordings(100, recordings, user) + queue_verifications(300)

        send_all(300)

        assert server.await_mails(400, 60) == sorted(names)
        assert server.queued == 0
    assert_sent_once()


def test_postfix_with_thirty_mails_a_minute_takes_all_in_its_time(
    configure: SettingsSetter,
) -> None:
    authority = make_authority()
    options = (
        "smtpd_client_event_limit_exceptions =\n"
        "smtpd_client_message_rate_limit = 30\n"
        # Who is not known has a mailbox too.
        "virtual_mailbox_maps = static:all/\n"
    )
    with postfix.running_postfix(authority, options) as server:
        account = {"smtp_server": "localhost", "smtp_security": "starttls"}
        ca = {"smtp_ca_certificate": authority.ca_pem}
        configure(smtp_port=server.port, **account, **ca)
        names = queue_verifications(200)

        send_all(900)

        assert server.await_mails(200) == sorted(names)
    assert_sent_once()
