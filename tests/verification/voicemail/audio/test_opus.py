"""Recordings that Debian's opus-tools make smaller, as the administrator wishes."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.test import Client as Browser
from django.utils import timezone

from tests.conftest import SettingsSetter
from tests.support.recordings import Packed, seconds_of, wav
from tests.support.smtp_servers import Server
from tests.support.voicemails import files, post
from verification.mail import sending
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.voicemail import oversized, recordings
from verification.voicemail.audio import opus
from verification.voicemail.models import KeptRecording, Voicemail

A_LAW, MU_LAW = Packed(6, 8000, 1), Packed(7, 8000, 1)
GSM = Packed(0x31, 1625, 65, struct.pack("<HH", 2, 320))


@pytest.fixture
def wished(configure: SettingsSetter, small_server: Server) -> Server:
    configure(voicemail_oversized="opus")
    return small_server


def deliver() -> OutgoingEmail:
    sending.deliver_due()
    return OutgoingEmail.objects.get()


def played(content: bytes) -> bytes:
    """Return it as a WAV of 8 kHz."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        command = ["opusdec", "--quiet", "--rate", "8000", "-", file.name]
        subprocess.run(command, input=content, check=True)
        return Path(file.name).read_bytes()


def loudness(content: bytes) -> float:
    sound = content[44:]
    samples = struct.unpack(f"<{len(sound) // 2}h", sound[: len(sound) // 2 * 2])
    return float((sum(s * s for s in samples) / len(samples)) ** 0.5)


def test_a_recording_goes_as_opus_and_plays_as_long(
    pbx: Browser, wished: Server
) -> None:
    post(pbx)
    waiting = deliver()
    assert (waiting.state, wished.mails) == (MailState.QUEUED, [])
    assert waiting.due_at > timezone.now() + timedelta(minutes=1)

    oversized.make_waiting_smaller()
    assert deliver().state == MailState.SENT

    (received,) = wished.mails
    (attachment,) = received.message.iter_attachments()
    assert attachment.get_content_type() == "audio/ogg"
    assert str(attachment.get_filename()).endswith(".ogg")
    text = received.message.get_body(("plain",))
    assert text
    assert "smaller form (Opus)" in text.get_content()
    sound = played(attachment.get_content())
    assert seconds_of(sound) == pytest.approx(1.5, abs=0.1)
    assert not KeptRecording.objects.exists()


def test_both_forms_go_when_the_mail_is_over(pbx: Browser, wished: Server) -> None:
    post(pbx)
    deliver()
    oversized.make_waiting_smaller()
    assert len(files()) == 2
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert recordings.sweep() == 0, "both are still needed"
    deliver()

    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        recordings.sweep()

    assert files() == []


def finish() -> OutgoingEmail:
    deliver()
    oversized.make_waiting_smaller()
    return deliver()


def assert_link(server: Server) -> None:
    assert finish().state == MailState.SENT
    (received,) = server.mails
    assert list(received.message.iter_attachments()) == []
    assert KeptRecording.objects.count() == len(files()) == 1


def test_what_is_still_too_large_goes_as_a_link(pbx: Browser, wished: Server) -> None:
    post(pbx, wav(20))

    assert_link(wished)


def test_what_the_program_cannot_read_goes_as_a_link(
    pbx: Browser, wished: Server
) -> None:
    post(pbx, GSM.wav(b"\0" * 24000))

    assert_link(wished)


def test_without_the_program_the_link_goes_at_once(
    pbx: Browser, wished: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    post(pbx)

    assert deliver().state == MailState.SENT
    assert KeptRecording.objects.exists()


def test_a_program_that_never_ends_is_ended(
    pbx: Browser, wished: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "opusenc"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(opus, "LIMIT_SECONDS", 0.1)
    post(pbx)

    assert_link(wished)


def test_where_no_worker_makes_it_smaller_the_link_goes(
    pbx: Browser, wished: Server
) -> None:
    post(pbx)
    assert deliver().state == MailState.QUEUED

    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        assert deliver().state == MailState.QUEUED
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert deliver().state == MailState.SENT

    assert KeptRecording.objects.exists()
    assert Voicemail.objects.get().smaller == ""


@pytest.mark.parametrize(
    ("law", "loud", "value"),
    [(A_LAW, b"\xaa\x2a", 32256), (MU_LAW, b"\x80\x00", 32124)],
    ids=["A-law", "mu-law"],
)
def test_telephone_sound_is_read(law: Packed, loud: bytes, value: int) -> None:
    """The program itself reads neither; a square wave of 500 Hz is as loud there."""
    sound = (loud[:1] * 8 + loud[1:] * 8) * 2000

    made = opus.smaller(law.wav(sound))

    assert made
    assert seconds_of(played(made)) == pytest.approx(4, abs=0.1)
    assert loudness(played(made)) == pytest.approx(value, rel=0.25)


def test_what_gets_no_smaller_stays(tmp_path: Path) -> None:
    assert opus.smaller(wav(0.01)) is None


@pytest.mark.database
def test_a_recording_that_cannot_be_read_holds_up_no_other(
    pbx: Browser, wished: Server, directory: Path
) -> None:
    post(pbx)
    deliver()
    away = directory.rename(directory.with_name("away"))

    oversized.make_waiting_smaller()

    away.rename(directory)
    assert finish().state == MailState.SENT
