"""What is found when nobody was woken, and what is forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.password_links import deliver, forget, links
from tests.support.smtp_servers import Server
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.password_links import invitations, tasks
from verification.password_links.models import InvitationRun, PasswordLink, Uninvited

pytestmark = pytest.mark.django_db


def test_the_sweep_finds_what_woke_nobody(server: Server, user: PbxUser) -> None:
    forget()
    invitations.start(invitations.choose([user]), actor=None)

    tasks.make_waiting_links()

    kinds = sorted(OutgoingEmail.objects.values_list("kind", flat=True))
    assert kinds == ["forgotten", "invitation"]


def test_a_mail_whose_link_is_over_is_not_sent(server: Server, user: PbxUser) -> None:
    forget()
    tasks.make_waiting_links()
    PbxUser.objects.update(email="anna@elsewhere.example")

    deliver()

    assert not server.mails
    assert OutgoingEmail.objects.get().state == MailState.EXPIRED


@pytest.mark.database
def test_the_newest_of_two_mails_alone_is_sent(server: Server, user: PbxUser) -> None:
    for _ in range(2):
        forget()
        tasks.make_waiting_links()

    deliver()

    assert len(links(server)) == 1


def test_nobody_is_invited_any_more_once_the_password_is_out_of_use(
    server: Server, configure: SettingsSetter, user: PbxUser
) -> None:
    invitations.start(invitations.choose([user]), actor=None)
    configure(
        smtp_server="127.0.0.1",
        authentication_type="netlogon_only",
        netlogon_domain="ad.example.com",
    )

    tasks.make_waiting_links()

    assert PasswordLink.objects.get().ending == "void"
    assert not OutgoingEmail.objects.exists()


@pytest.mark.database
def test_old_links_and_runs_are_forgotten(server: Server, user: PbxUser) -> None:
    silent = PbxUser.objects.create_user("silent")
    invitations.start(invitations.choose([user, silent]), actor=None)
    tasks.make_waiting_links()

    tasks.forget_old_links()
    assert PasswordLink.objects.exists()

    later = settings.MAIL_RETENTION_TTL + timedelta(days=31)
    with time_machine.travel(timezone.now() + later):
        tasks.forget_old_links()

    for rows in (PasswordLink, InvitationRun, Uninvited):
        assert not rows.objects.exists()


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_mails_speak_the_language_of_the_user(
    server: Server, user: PbxUser, language: str
) -> None:
    PbxUser.objects.update(language=language)
    forget(HTTP_ACCEPT_LANGUAGE="en")
    deliver()

    [mail] = server.mails
    words = {"en": "set a new password", "de": "neues Passwort setzen"}
    assert words[language] in mail.message["Subject"]
