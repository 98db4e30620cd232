"""Recordings that are larger than the mail server takes."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import Settings

from authconfig.choices import Dependency
from authconfig.dependencies import DependencyState
from authconfig.users.models import PbxUser
from tests.support.browsers import sign_in
from tests.support.smtp_servers import Server
from tests.support.voicemails import RECORDING, files, post
from verification.mail import sending
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.voicemail import kept, recordings
from verification.voicemail.kept import KEPT_FOR
from verification.voicemail.models import KeptRecording, Voicemail

GONE = 410


def delivered() -> OutgoingEmail:
    sending.deliver_due()
    return OutgoingEmail.objects.get()


def only_message(server: Server) -> Any:
    (received,) = server.mails
    return received.message


@pytest.fixture
def row(pbx: Browser, small_server: Server) -> KeptRecording:
    """What Anna hears here, since it fitted into no mail."""
    post(pbx)
    assert delivered().state == MailState.SENT
    return KeptRecording.objects.get()


def path_of(row: KeptRecording, page: str = "") -> str:
    return f"/account/voicemail/{row.public_id}/{page}"


@pytest.mark.database
@pytest.mark.parametrize("language", ["en", "de"])
def test_what_the_server_says_to_be_too_large_goes_as_a_link(
    pbx: Browser, small_server: Server, settings: Settings, language: str
) -> None:
    settings.SITE_URL = "https://pbx.example"
    PbxUser.objects.update(language=language)
    post(pbx)

    mail = delivered()

    assert (mail.state, mail.attempts) == (MailState.SENT, 2)
    message = only_message(small_server)
    assert list(message.iter_attachments()) == []
    link = f"https://pbx.example{path_of(KeptRecording.objects.get())}"
    for kind in ("plain", "html"):
        text = message.get_body((kind,)).get_content()
        assert link in text
        assert ("too large", "zu groß")[language == "de"] in text
    down = DependencyState.objects.filter(kind=Dependency.SMTP, is_up=False)
    assert not down.exists()


# The words of servers, byte for byte.
AT_MAIL = [
    "552 5.3.4 Message size exceeds fixed limit",  # Postfix
    "552 Message size exceeds maximum permitted",  # Exim
    "552 5.2.3 Message size exceeds fixed maximum message size (20000)",  # sendmail
    "523 Message length (33008 bytes) exceeds administrative limit.",  # Courier
    "550 Message too big!",  # Haraka
    "534 5.3.4 Message size exceeds limit",
]
AT_LAST = [
    "552 5.3.4 Error: message file too big",  # Postfix
    "552 Message size exceeds maximum permitted",  # Exim
    "552 sorry, that message size exceeds my databytes limit (#5.3.4)",  # qmail
    "550 5.7.1 Message size exceeds the limit of this recipient",
    "554 5.3.4 Message too big for system: Transaction failed, message too big",
]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        *(("refuse_large_sender", words) for words in AT_MAIL),
        *(("refuse_large_content", words) for words in AT_LAST),
    ],
)
def test_what_the_server_refuses_for_its_size_goes_as_a_link(
    pbx: Browser, large_server: Server, answer: str, words: str
) -> None:
    setattr(large_server, answer, words)
    post(pbx)

    assert delivered().state == MailState.SENT

    assert list(only_message(large_server).iter_attachments()) == []
    assert KeptRecording.objects.count() == 1


@pytest.mark.parametrize(
    "words", ["552 5.2.2 Mailbox is full", "554 5.7.1 Spam", "550 5.7.1 No"]
)
def test_another_refusal_keeps_the_recording_where_it_is(
    pbx: Browser, account: None, server: Server, words: str
) -> None:
    server.refuse_large_content = words
    post(pbx)

    assert delivered().state == MailState.FAILED
    assert Voicemail.objects.get().recording in files()
    assert not KeptRecording.objects.exists()


def test_what_is_kept_is_encrypted(row: KeptRecording, directory: Path) -> None:
    (name,) = files()
    content = (directory / name).read_bytes()

    assert b"RIFF" not in content
    assert RECORDING[1000:1040] not in content
    assert kept.read(row) == RECORDING
    assert row.size == len(content)


def test_its_user_hears_and_saves_it(row: KeptRecording, user: PbxUser) -> None:
    browser = sign_in(user)

    for path in ("/account/", path_of(row)):
        page = browser.get(path).content.decode()
        assert f'src="{path_of(row, "sound/")}"' in page
        assert "Jörg Öztürk (+49 7031 73009-0)" in page
        assert "0:42" in page
    sound: Any = browser.get(path_of(row, "sound/"))
    saved: Any = browser.get(path_of(row, "sound/?save"))

    assert sound.content == saved.content == RECORDING
    assert sound["Content-Type"] == "audio/wav"
    assert "no-store" in sound["Cache-Control"]
    assert sound["Content-Disposition"].startswith("inline")
    assert saved["Content-Disposition"].startswith("attachment")
    assert "media-src 'self'" in browser.get("/account/")["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-1", 0, 1),
        ("bytes=100-", 100, None),
        ("bytes=-50", -50, None),
        ("bytes=24000-99999999", 24000, None),
    ],
)
def test_a_player_gets_the_part_that_it_asks_for(
    row: KeptRecording, user: PbxUser, asked: str, first: int, last: int | None
) -> None:
    headers = {"Range": asked}
    response: Any = sign_in(user).get(path_of(row, "sound/"), headers=headers)

    wanted = RECORDING[first : None if last is None else last + 1]
    start = len(RECORDING) - len(wanted) if last is None else first
    assert (response.status_code, response.content) == (206, wanted)
    told = f"bytes {start}-{start + len(wanted) - 1}/{len(RECORDING)}"
    assert response["Content-Range"] == told


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=99999999-", 416),
        ("bytes=-0", 416),
        ("bytes=5-2", 416),
        ("bytes=-", 200),
        ("bytes=0-1,5-6", 200),
        ("lines=1-2", 200),
    ],
)
def test_a_part_that_is_none_is_no_error_of_ours(
    row: KeptRecording, user: PbxUser, asked: str, status: int
) -> None:
    headers = {"Range": asked}
    response = sign_in(user).get(path_of(row, "sound/"), headers=headers)

    assert response.status_code == status


@pytest.mark.parametrize("page", ["", "sound/"])
def test_the_link_opens_for_its_users_myapps_sessions_alone(
    row: KeptRecording, user: PbxUser, administrator: PbxUser, page: str
) -> None:
    path = path_of(row, page)

    anonymous: Any = Browser().get(path)
    assert (anonymous.status_code, anonymous.url) == (302, f"/login/?next={path}")
    assert sign_in(user, kind="mypbx").get(path).status_code == 403
    assert sign_in(administrator).get(path).status_code == GONE
    assert sign_in(administrator).post(path_of(row, "delete/")).status_code == GONE
    assert sign_in(user).get(path).status_code == 200


def test_its_user_deletes_it(row: KeptRecording, user: PbxUser) -> None:
    browser = sign_in(user)
    assert browser.get(path_of(row, "delete/")).status_code == 405

    browser.post(path_of(row, "delete/"))

    assert files() == []
    assert not KeptRecording.objects.exists()
    assert Voicemail.objects.get().kept is None
    for page in ("", "sound/"):
        assert browser.get(path_of(row, page)).status_code == GONE
    assert path_of(row) not in browser.get("/account/").content.decode()


def test_it_goes_after_its_days(row: KeptRecording, user: PbxUser) -> None:
    with time_machine.travel(timezone.now() + KEPT_FOR - timedelta(minutes=1)):
        kept.sweep()
        assert recordings.sweep() == 0
        assert KeptRecording.objects.exists()

    with time_machine.travel(timezone.now() + KEPT_FOR + timedelta(minutes=1)):
        assert sign_in(user).get(path_of(row)).status_code == GONE
        assert kept.sweep() == 1
        assert files() == []


@pytest.mark.database
def test_it_stays_when_its_mail_is_forgotten_and_goes_with_its_user(
    row: KeptRecording, user: PbxUser
) -> None:
    OutgoingEmail.objects.all().delete()
    assert sign_in(user).get(path_of(row, "sound/")).status_code == 200

    user.delete()

    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        recordings.sweep()
    assert files() == []


@pytest.mark.database
def test_all_that_is_kept_has_a_bound_and_the_recording_waits_for_room(
    pbx: Browser, small_server: Server, settings: Settings
) -> None:
    settings.VOICEMAIL_KEPT_BYTES = len(RECORDING)
    post(pbx)

    mail = delivered()

    assert (mail.state, mail.fault) == (MailState.QUEUED, "NO_ROOM")
    assert Voicemail.objects.get().recording in files()
    settings.VOICEMAIL_KEPT_BYTES = 2 * len(RECORDING)
    with time_machine.travel(mail.due_at + timedelta(seconds=1)):
        assert delivered().state == MailState.SENT


@pytest.mark.database
def test_no_caller_fills_the_room_of_others(
    row: KeptRecording, pbx: Browser, settings: Settings
) -> None:
    """Anna has one recording, and more than a quarter of all would be hers."""
    settings.VOICEMAIL_KEPT_BYTES = 7 * row.size
    PbxUser.objects.create_user("bert", email="bert@example.com")

    for user in ("anna", "bert"):
        post(pbx, user=user)
    sending.deliver_due()

    owners = KeptRecording.objects.values_list("user__name", flat=True)
    assert sorted(owners) == ["anna", "bert"]
    waiting = OutgoingEmail.objects.get(state=MailState.QUEUED)
    assert (waiting.user.name, waiting.fault) == ("anna", "NO_ROOM")


@pytest.mark.database
def test_a_mail_whose_recording_its_user_deleted_does_not_go_out(
    pbx: Browser, small_server: Server
) -> None:
    post(pbx)
    small_server.refuse_recipient = "451 Later"
    assert delivered().state == MailState.QUEUED
    assert OutgoingEmail.objects.retryable().exists()

    kept.delete(KeptRecording.objects.get())

    assert not OutgoingEmail.objects.retryable().exists()
    OutgoingEmail.objects.update(due_at=timezone.now())
    assert delivered().state == MailState.EXPIRED


def test_after_a_rotation_of_keys_it_still_opens(
    row: KeptRecording, settings: Settings
) -> None:
    settings.ENCRYPTION_KEYS = ["new", *settings.ENCRYPTION_KEYS]
    call_command("rotatekeys", stdout=io.StringIO())

    settings.ENCRYPTION_KEYS = ["new"]

    row.refresh_from_db()
    assert kept.read(row) == RECORDING


def test_without_its_key_it_is_gone(
    row: KeptRecording, user: PbxUser, settings: Settings
) -> None:
    browser = sign_in(user)
    settings.ENCRYPTION_KEYS = ["another"]

    assert browser.get(path_of(row, "sound/")).status_code == GONE
