"""What a change of a user's e-mail address ends, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from allauth.usersessions.models import UserSession
from django.core.management import call_command
from django.db import transaction
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.users.changes import follow_addresses
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.pbxsite.administration.users.test_users import change
from tests.support.smtp_servers import Server
from verification.approval.choices import Ending
from verification.approval.links import find_by_link
from verification.approval.models import LoginSession
from verification.approval.tokens import link_token
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.mail.sending import deliver_due

NEW = "anna.new@example.com"
Cause = Callable[[Browser, PbxUser, Path], object]


def by_page(admin: Browser, user: PbxUser, _: Path) -> None:
    change(admin, user, email=NEW)


def by_file(admin: Browser, user: PbxUser, directory: Path) -> None:
    file = directory / "users.csv"
    row = f"{user.name},{user.long_name},{NEW},,1"
    file.write_text(f"name,long_name,email,number,active\n{row}\n")
    call_command("pbxusers", "import", str(file), stdout=StringIO())


@pytest.mark.database
@pytest.mark.parametrize("cause", [by_page, by_file])
def test_a_login_that_waits_ends_and_the_old_address_is_told(
    held: LoginSession,
    browser: Browser,
    admin_client_myapps: Browser,
    tmp_path: Path,
    server: Server,
    configure: SettingsSetter,
    cause: Cause,
) -> None:
    old, sessions = held.user.email, UserSession.objects.count()
    link = f"/PBX0/session.xml?id={link_token(held)}"

    cause(admin_client_myapps, held.user, tmp_path)

    held.refresh_from_db()
    opened = browser.get(link)
    assert held.status == Ending.NEW_ADDRESS
    assert opened.status_code == 410
    assert "e-mail address of this user was changed" in opened.content.decode()
    assert UserSession.objects.count() == sessions
    assert AuditEvent.objects.get(event=Event.LOGIN_ENDED).detail == "new_address"
    configure(smtp_port=server.port)
    deliver_due()
    (told,) = server.mails
    assert told.recipient == old
    for part in ("plain", "html"):
        body = told.message.get_body((part,))
        text = body.get_content() if body else ""
        assert "the e-mails of anna go to another address" in " ".join(text.split())
        assert NEW not in text


@pytest.mark.parametrize("field", ["long_name", "number"])
def test_another_change_ends_no_login(
    held: LoginSession, admin_client_myapps: Browser, field: str
) -> None:
    change(admin_client_myapps, held.user, **{field: "12"})

    held.refresh_from_db()
    assert held.status == "pending"
    assert not OutgoingEmail.objects.filter(kind="address").exists()


def test_a_link_to_an_earlier_address_opens_nothing_however_it_was_changed(
    held: LoginSession,
) -> None:
    assert find_by_link(link_token(held)) == held

    PbxUser.objects.filter(pk=held.user.pk).update(email=NEW)

    assert find_by_link(link_token(held)) is None
    deliver_due()
    assert OutgoingEmail.objects.get().state == MailState.EXPIRED


def test_an_address_is_told_once_a_day_and_none_where_there_was_none(
    held: LoginSession,
) -> None:
    anna = held.user
    for old in ("", "one@example.com", "two@example.com", "one@example.com"):
        with transaction.atomic():
            follow_addresses({anna: old})

    told = OutgoingEmail.objects.filter(kind="address").order_by("pk")
    assert [mail.recipient for mail in told] == ["one@example.com", "two@example.com"]
