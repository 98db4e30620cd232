"""Alarms go by the site's queue, to addresses that are nobody's."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from django.utils import timezone, translation

from authconfig.users.models import AuditEvent
from pbxsite.administration.alarms import mails
from pbxsite.administration.alarms.choices import AlarmState, News
from pbxsite.administration.alarms.models import Alarm
from pbxsite.administration.findings import AlarmKind
from tests.conftest import SettingsSetter
from tests.support.smtp_servers import Server
from verification.mail import sending
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail

pytestmark = pytest.mark.django_db


@pytest.fixture
def alarm() -> Alarm:
    return Alarm.objects.create(
        kind=AlarmKind.PROVIDER,
        sentence="idp does not answer <at all>.",
        link="/admin/authconfig/authenticationsettings/#section-oauth2",
        state=AlarmState.OVER,
        over_at=timezone.now(),
    )


def received(server: Server) -> EmailMessage:
    sending.deliver_due()
    [mail] = server.mails
    return mail.message


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body
    return str(body.get_content())


@pytest.fixture
def outgoing(told: list[str], configure: SettingsSetter, server: Server) -> Server:
    configure(smtp_port=server.port, alarm_recipients="ops@example.com")
    return server


def test_it_arrives_with_the_way_to_its_remedy(outgoing: Server, alarm: Alarm) -> None:
    mails.tell(alarm, News.BEGAN)

    mail = received(outgoing)

    assert mail["To"] == "ops@example.com"
    assert mail["Subject"] == "PBX: Alarm: The OpenID provider does not answer"
    assert "idp does not answer <at all>." in text_of(mail)
    assert "/authenticationsettings/#section-oauth2" in text_of(mail)
    assert OutgoingEmail.objects.get().state == MailState.SENT
    assert AuditEvent.objects.get(event="mail_sent").user is None


def test_the_end_says_when(outgoing: Server, alarm: Alarm) -> None:
    mails.tell(alarm, News.OVER)

    mail = received(outgoing)

    assert mail["Subject"].startswith("PBX: Alarm is over: ")
    assert "Over: " in text_of(mail)


def test_a_test_says_so_in_german(outgoing: Server) -> None:
    with translation.override("de"):
        mails.send(["ops@example.com"], News.TEST)

    assert received(outgoing)["Subject"] == "PBX: Test der Alarme"
