"""What the PBX posts, and what arrives."""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import Settings

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.support.recordings import a_law_wav, seconds_of, wav
from tests.support.smtp_servers import Server
from tests.support.voicemails import (
    ADDRESS,
    CALLED,
    RECORDING,
    arrived,
    files,
    post,
    problem,
)
from verification.mail import claims, sending
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.voicemail import flows, keys, recordings
from verification.voicemail.mails import VOICEMAIL
from verification.voicemail.models import Voicemail, VoicemailKey


def test_a_recording_arrives_playable_and_byte_for_byte(
    pbx: Browser, server: Server
) -> None:
    response = post(pbx)

    assert response.status_code == 202
    assert response["Content-Type"] == "application/json"
    mail = OutgoingEmail.objects.get(public_id=UUID(response.json()["id"]))  # type: ignore[attr-defined]
    assert (mail.kind, mail.recipient) == (VOICEMAIL.name, "anna@example.com")
    (attachment,) = arrived(server).iter_attachments()
    assert attachment.get_content_type() == "audio/wav"
    assert attachment.get_content() == RECORDING
    assert seconds_of(attachment.get_content()) == 1.5
    name = "voicemail_2026-11-24_17-23-05_+49703173009-0.wav"
    assert attachment.get_filename() == name


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_mail_says_who_called_when_and_for_how_long(
    pbx: Browser, server: Server, user: PbxUser, language: str
) -> None:
    zone = "America/New_York"
    PbxUser.objects.update(language=language, time_zone=zone)
    post(pbx)

    message = arrived(server)

    assert "Jörg Öztürk (+49 7031 73009-0), 0:42" in message["Subject"]
    assert message["Content-Language"] == language
    for kind in ("plain", "html"):
        text = message.get_body((kind,)).get_content()
        for words in ("Jörg Öztürk (+49 7031 73009-0)", "0:42", "EST", "Anna Berg"):
            assert words in text
        assert re.search(r"12[:.]23", text)
    (attachment,) = message.iter_attachments()
    assert "_12-23-05_" in attachment.get_filename()


def test_a_time_zone_that_is_no_more_costs_no_mail(
    pbx: Browser, server: Server
) -> None:
    PbxUser.objects.update(time_zone="Europe/Atlantis")
    post(pbx)

    assert "UTC" in arrived(server).get_body(("plain",)).get_content()


def test_a_caller_who_hides_the_number_is_none(pbx: Browser, server: Server) -> None:
    post(pbx, caller="", caller_name="", time="", duration="")

    message = arrived(server)

    assert "Number withheld, 0:02" in message["Subject"]
    (attachment,) = message.iter_attachments()
    assert re.fullmatch(r"voicemail_[\d_-]+\.wav", attachment.get_filename())


def test_a_caller_cannot_forge_headers_or_paths(pbx: Browser, server: Server) -> None:
    post(pbx, caller="../../etc/passwd;*", caller_name="Eve <b>x</b>")

    message = arrived(server)
    (attachment,) = message.iter_attachments()

    assert attachment.get_filename().endswith("_etcpasswd.wav")
    assert "<b>x" not in message.get_body(("html",)).get_content()


@pytest.mark.database
@pytest.mark.parametrize("entered", ["ANNA", "21", " 21 "])
def test_the_user_is_named_or_numbered(pbx: Browser, entered: str) -> None:
    assert post(pbx, user=entered).status_code == 202


def test_other_formats_keep_their_type(pbx: Browser, server: Server) -> None:
    post(pbx, b"ID3\x04" + b"\0" * 2000)

    (attachment,) = arrived(server).iter_attachments()

    assert attachment.get_content_type() == "audio/mpeg"
    assert attachment.get_filename().endswith(".mp3")


def test_a_law_is_measured_although_python_cannot_read_it(pbx: Browser) -> None:
    assert post(pbx, a_law_wav(65), duration="").status_code == 202
    assert Voicemail.objects.get().duration == 65
    assert Voicemail.objects.get().duration_text == "1:05"


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_size_that_the_recorder_never_wrote_is_measured(
    pbx: Browser, size: int
) -> None:
    at = RECORDING.index(b"data") + 4
    streamed = RECORDING[:at] + size.to_bytes(4, "little") + RECORDING[at + 4 :]

    assert post(pbx, streamed, duration="").status_code == 202
    assert Voicemail.objects.get().duration == 2


def test_the_file_may_have_any_fields_name(pbx: Browser) -> None:
    file = SimpleUploadedFile("a.wav", RECORDING)

    assert pbx.post(ADDRESS, {"user": "21", "file": file}).status_code == 202


@pytest.mark.parametrize("entered", ["nobody", "99"])
def test_an_unknown_extension_is_404(pbx: Browser, entered: str) -> None:
    assert "extension" in problem(post(pbx, user=entered), 404)["detail"]


def test_a_number_that_is_anothers_name_is_409(pbx: Browser) -> None:
    PbxUser.objects.create_user("21", email="other@example.com")

    problem(post(pbx, user="21"), 409)


@pytest.mark.parametrize("facts", [{"email": ""}, {"is_active": False}])
def test_a_user_whom_no_mail_reaches_is_409_and_the_log_tells(
    pbx: Browser, user: PbxUser, facts: dict[str, Any]
) -> None:
    PbxUser.objects.update(**facts)

    told = problem(post(pbx), 409)

    event = AuditEvent.objects.get(event=Event.VOICEMAIL_REFUSED)
    assert (event.user, event.detail) == (user, told["detail"])
    PbxUser.objects.update(email="anna@example.com", is_active=True)
    assert post(pbx).status_code == 202


@pytest.mark.parametrize(
    ("recording", "status"),
    [
        (b"", 422),
        (wav(0), 422),
        (b"RIFF\0\0\0\0WAVE", 422),
        (b"<html>", 415),
        (b"MZ" + RECORDING, 415),
    ],
)
def test_what_is_no_sound_is_refused(
    pbx: Browser, recording: bytes, status: int
) -> None:
    assert "recording" in problem(post(pbx, recording), status)["errors"]


@pytest.mark.parametrize(
    "changes", [{"user": ""}, {"time": "yesterday"}, {"duration": "-1"}]
)
def test_a_field_that_is_wrong_is_named(pbx: Browser, changes: dict[str, str]) -> None:
    told = problem(post(pbx, **changes), 422)

    assert list(told["errors"]) == list(changes)


def test_a_form_without_a_recording_is_422(pbx: Browser) -> None:
    problem(pbx.post(ADDRESS, CALLED), 422)  # type: ignore[arg-type]


def test_a_large_recording_is_413(pbx: Browser, settings: Settings) -> None:
    settings.VOICEMAIL_MAX_BYTES = len(RECORDING) - 1

    problem(post(pbx), 413)


def test_a_large_body_is_413_unread(pbx: Browser, settings: Settings) -> None:
    settings.BODY_MAX_BYTES = len(RECORDING)

    problem(post(pbx), 413)


def test_another_type_of_body_is_415(pbx: Browser) -> None:
    problem(pbx.post(ADDRESS, CALLED, content_type="application/json"), 415)  # type: ignore[arg-type]


def test_a_torn_form_is_400(pbx: Browser) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="user"\r\n\r\nanna'
    kind = "multipart/form-data; boundary="

    problem(pbx.post(ADDRESS, body, content_type=kind), 400)  # type: ignore[arg-type]


def test_only_post_is_allowed(pbx: Browser) -> None:
    response: Any = pbx.get(ADDRESS)

    problem(response, 405)
    assert response["Allow"] == "POST"


@pytest.mark.parametrize("given", ["", "Bearer wrong", "Bearer ", "Basic YTpi"])
def test_a_wrong_key_is_401(pbx: Browser, given: str) -> None:
    response = post(pbx, headers={"Authorization": given})

    problem(response, 401)
    assert response["WWW-Authenticate"].startswith("Bearer ")
    assert b"anna" not in response.content


def test_a_revoked_key_is_wrong(pbx: Browser) -> None:
    assert keys.revoke(actor=None)

    problem(post(pbx), 401)
    assert not keys.revoke(actor=None)


@pytest.mark.database
def test_a_new_key_ends_the_older_one(pbx: Browser) -> None:
    newer = keys.make(actor=None)

    problem(post(pbx), 401)
    headers = {"Authorization": f"bearer {newer}"}
    assert post(pbx, headers=headers).status_code == 202


def test_the_key_is_stored_nowhere(pbx: Browser, key: str) -> None:
    post(pbx)

    row = VoicemailKey.objects.get()
    told = AuditEvent.objects.values_list("detail", flat=True)
    assert key not in f"{row.digest} {list(told)}"
    assert row.last_used_at


def test_wrong_keys_are_limited_and_keep_the_right_one_out_of_nothing(
    pbx: Browser,
) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    statuses = [post(pbx, headers=wrong).status_code for _ in range(11)]

    assert statuses == [401] * 10 + [429]
    assert post(pbx, headers=wrong)["Retry-After"]
    told = AuditEvent.objects.filter(event=Event.VOICEMAIL_KEY_WRONG)
    assert told.count() == 10
    assert post(pbx).status_code == 202


def test_no_session_and_no_csrf_token_count(key: str, pbx: Browser) -> None:
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(PbxUser.objects.get())

    problem(post(strict), 401)
    headers = {"Authorization": f"Bearer {key}"}
    response = post(Browser(enforce_csrf_checks=True), headers=headers)
    assert response.status_code == 202
    assert not response.cookies


@pytest.mark.database
def test_the_same_request_with_the_same_key_is_sent_once(pbx: Browser) -> None:
    once = {"Idempotency-Key": '"8e03978e-40d5"'}

    answers = [post(pbx, headers=once), post(pbx, headers=once)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert OutgoingEmail.objects.count() == len(files()) == 1
    assert post(pbx).status_code == 202
    assert OutgoingEmail.objects.count() == 2


@pytest.mark.database
@pytest.mark.parametrize(
    "change", [{"caller": "12"}, {"duration": "43"}, {"recording": wav(2)}]
)
def test_another_request_with_the_same_key_is_422(
    pbx: Browser, change: dict[str, Any]
) -> None:
    once = {"Idempotency-Key": "8e03978e"}
    post(pbx, headers=once)

    response = post(pbx, headers=once, **change)

    assert response.status_code == 422
    assert "Idempotency-Key" in json.loads(response.content)["detail"]
    assert OutgoingEmail.objects.count() == len(files()) == 1


@pytest.mark.parametrize("given", ["x" * 256, "two words", "ü"])
def test_an_idempotency_key_is_ascii(pbx: Browser, given: str) -> None:
    problem(post(pbx, headers={"Idempotency-Key": given}), 400)


@pytest.mark.database
def test_too_many_for_one_user_are_429(pbx: Browser, settings: Settings) -> None:
    settings.LIMIT_VOICEMAILS = (1, timedelta(hours=1))

    first, second = post(pbx), post(pbx)

    assert (first.status_code, second.status_code) == (202, 429)
    assert second["Retry-After"]
    assert OutgoingEmail.objects.count() == len(files()) == 1


def test_without_an_account_it_is_503(pbx: Browser, configure: SettingsSetter) -> None:
    configure(smtp_server="")

    assert problem(post(pbx), 503)
    assert post(pbx)["Retry-After"]


def test_a_full_disk_is_503_and_leaves_nothing(
    pbx: Browser, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(name: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recordings, "_flush", full)

    problem(post(pbx), 503)


@pytest.mark.database
def test_a_database_that_is_away_is_503(
    pbx: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(flows, "take", away)

    problem(post(pbx), 503)


@pytest.mark.database
@pytest.mark.parametrize(
    "fault",
    [
        {"refuse_content": "451 4.3.0 Later"},
        {"refuse_sender": "550 5.7.1 Not with this account"},
    ],
    ids=str,
)
def test_a_recording_outlasts_days_of_trouble(
    pbx: Browser, server: Server, fault: dict[str, str]
) -> None:
    post(pbx)
    # An afternoon's tries.
    OutgoingEmail.objects.update(attempts=40)
    vars(server).update(fault)

    sending.deliver_due()

    mail = OutgoingEmail.objects.get()
    assert mail.state == MailState.QUEUED
    pause = (mail.due_at - timezone.now()).total_seconds()
    assert 10 * 60 < pause < 20 * 60
    vars(server).update(dict.fromkeys(fault))
    with time_machine.travel(mail.due_at + timedelta(seconds=1)):
        assert arrived(server)


@pytest.mark.database
def test_a_dead_worker_costs_an_old_recording_nothing(pbx: Browser) -> None:
    post(pbx)
    now = timezone.now()
    OutgoingEmail.objects.update(
        state=MailState.SENDING, attempts=40, lease_expires_at=now
    )

    assert claims.requeue_abandoned() == 1


def test_a_recording_that_nobody_takes_is_not_tried_again(
    pbx: Browser, server: Server
) -> None:
    post(pbx)
    server.refuse_recipient = "550 5.1.1 Unknown"

    sending.deliver_due()

    assert OutgoingEmail.objects.get().state == MailState.FAILED
    assert len(files()) == 1


def test_a_storage_that_is_away_is_waited_for(
    pbx: Browser, server: Server, directory: Path
) -> None:
    post(pbx)
    away = directory.rename(directory.with_name("away"))

    sending.deliver_due()

    mail = OutgoingEmail.objects.get()
    assert mail.state == MailState.QUEUED
    away.rename(directory)
    with time_machine.travel(mail.due_at + timedelta(seconds=1)):
        assert arrived(server)


def test_recordings_are_for_the_sites_user_alone(pbx: Browser, directory: Path) -> None:
    post(pbx)

    (file,) = directory.iterdir()
    assert oct(file.stat().st_mode)[-3:] == "600"
    assert oct(directory.stat().st_mode)[-3:] == "700"
    assert pbx.get(f"/recordings/{file.name}").status_code == 404


def age(directory: Path, hours: int) -> None:
    before = timezone.now() - timedelta(hours=hours)
    for file in directory.iterdir():
        os.utime(file, (before.timestamp(), before.timestamp()))


@pytest.mark.database
@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (MailState.QUEUED, 1),
        (MailState.SENT, 0),
        (MailState.EXPIRED, 0),
        (MailState.FAILED, 1),
        (MailState.UNKNOWN, 1),
    ],
)
def test_a_recording_goes_when_its_mail_is_over(
    pbx: Browser, directory: Path, state: MailState, kept: int
) -> None:
    post(pbx)
    ended_at = None if state == MailState.QUEUED else timezone.now()
    OutgoingEmail.objects.update(state=state, ended_at=ended_at)
    assert recordings.sweep() == 0

    if ended_at:
        OutgoingEmail.objects.update(ended_at=ended_at - timedelta(hours=1))
    recordings.sweep()

    assert len(files()) == kept
    assert (Voicemail.objects.get().recording != "") == bool(kept)


@pytest.mark.database
def test_a_recording_goes_with_its_row(pbx: Browser, directory: Path) -> None:
    post(pbx)
    OutgoingEmail.objects.all().delete()
    assert recordings.sweep() == 0, "it may be one whose row is about to be written"

    age(directory, hours=2)

    assert recordings.sweep() == 1
    assert files() == []


@pytest.mark.database
def test_a_recording_with_a_row_stays_however_old(
    pbx: Browser, directory: Path
) -> None:
    post(pbx)
    age(directory, hours=2000)

    assert recordings.sweep() == 0
    assert len(files()) == 1
