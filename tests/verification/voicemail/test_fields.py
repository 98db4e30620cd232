"""What a caller chooses, and the clocks of devices: no message is lost over it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import Settings

from authconfig.users.models import PbxUser
from tests.support.smtp_servers import Server
from tests.support.voicemails import ADDRESS, CALLED, RECORDING, arrived, post
from verification.voicemail.models import Voicemail

# Both turns of its clock are known: 2026-03-29 skips 2 o'clock, 2026-10-25 repeats it.
BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Eve\r\nBcc: all@example.com", "Eve Bcc: all@example.com"),
        ("Anna\tBerg\x00\x07", "Anna Berg"),
        ("\u202eannA\u202c \u2066B\u2069\u200f", "annA B"),
        ("a\u2028b\u2029c\u0085d\u00a0e", "a b c d e"),
        ("Ä" * 151, "Ä" * 149 + "…"),
        ("Ä" * 150, "Ä" * 150),
        ("=?utf-8?q?E=76e?=",) * 2,
        ("\ue000who\ue001 \ufffe {{ site_name }} %s",) * 2,
    ],
    ids=[
        *("lines", "controls", "directions", "blanks", "too long", "just short enough"),
        *("encoded", "marks of templates"),
    ],
)
def test_any_name_of_a_caller_arrives(
    pbx: Browser, server: Server, sent: str, kept: str
) -> None:
    assert post(pbx, caller_name=sent).status_code == 202

    assert Voicemail.objects.get().caller_name == kept
    message = arrived(server)
    assert message["Bcc"] is None
    assert message["To"] == "anna@example.com"


@pytest.mark.database
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("+49\t7031 73009-0", "+49 7031 73009-0"),
        ("\u200e+497031\u202c", "+497031"),
        ("1" * 65, "1" * 63 + "…"),
        ("\x00", ""),
    ],
    ids=["tab", "directions", "too long", "nothing"],
)
def test_any_number_of_a_caller_arrives(
    pbx: Browser, server: Server, sent: str, kept: str
) -> None:
    assert post(pbx, caller=sent).status_code == 202

    assert Voicemail.objects.get().caller_number == kept
    assert arrived(server)


@pytest.mark.parametrize("entered", ["2\u200e1\t", "\u202aANNA\u202c"])
def test_a_user_may_be_written_with_marks(pbx: Browser, entered: str) -> None:
    assert post(pbx, user=entered).status_code == 202


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2026-10-25T02:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-03-29T02:30:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("1970-01-01 00:00:07", datetime(1969, 12, 31, 23, 0, 7, tzinfo=UTC)),
        ("0001-06-01T00:00:00Z", datetime(1, 6, 1, tzinfo=UTC)),
        ("9999-12-01", datetime(9999, 11, 30, 23, tzinfo=UTC)),
    ],
)
@pytest.mark.database
def test_a_time_that_a_clock_has_twice_or_never_is_read(
    pbx: Browser, settings: Settings, server: Server, sent: str, read: datetime
) -> None:
    settings.TIME_ZONE = BERLIN
    PbxUser.objects.update(time_zone="America/New_York")

    assert post(pbx, time=sent).status_code == 202

    assert Voicemail.objects.get().recorded_at == read
    assert arrived(server)


@pytest.mark.parametrize(
    "sent",
    [
        *("0001-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "0001-01-02"),
        *("9999-12-31T23:59:59", "9999-12-31T23:59:59-12:00"),
        *("0000-00-00 00:00:00", "0000-00-00", "2026-02-30T12:00:00Z"),
        *("2026-12-31T23:59:60Z", "2026-11-24T18:23:05+99:00"),
    ],
)
@pytest.mark.database
def test_a_time_that_is_none_is_now(
    pbx: Browser, settings: Settings, server: Server, sent: str
) -> None:
    settings.TIME_ZONE = BERLIN
    PbxUser.objects.update(time_zone="America/New_York")

    assert post(pbx, time=sent).status_code == 202

    ago = timezone.now() - Voicemail.objects.get().recorded_at
    assert timedelta(0) <= ago < timedelta(minutes=1)
    assert arrived(server)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("41.6", 42), ("86400", 86400), ("86401", 2), ("1764012185", 2), ("1e300", 2)],
)
@pytest.mark.database
def test_a_duration_beyond_a_day_is_measured(
    pbx: Browser, sent: str, kept: int
) -> None:
    assert post(pbx, duration=sent).status_code == 202
    assert Voicemail.objects.get().duration == kept


@pytest.mark.parametrize("sent", ["soon", "nan", "-1"])
def test_a_duration_that_no_clock_makes_is_named(pbx: Browser, sent: str) -> None:
    response = post(pbx, duration=sent)

    assert response.status_code == 422
    assert list(json.loads(response.content)["errors"]) == ["duration"]


def raw(pbx: Browser, *parts: bytes, more: str = "") -> Any:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    kind = f"multipart/form-data; boundary=b{more}"
    return pbx.generic("POST", ADDRESS, body, content_type=kind)


def part(disposition: str, content: bytes) -> bytes:
    head = f"Content-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode("latin-1") + content


USER = part('name="user"', b"anna")


def test_a_name_that_curl_takes_for_a_files_loses_no_recording(pbx: Browser) -> None:
    # curl -F caller_name="Eve;filename=x" -F message=@a.wav
    name = part('name="caller_name"; filename="x"', b"Eve")
    recording = part('name="message"; filename="a.wav"', RECORDING)

    assert raw(pbx, USER, name, recording).status_code == 202
    assert Voicemail.objects.get().duration == 2


@pytest.mark.parametrize(
    "disposition",
    ['name="recording"; filename=""', 'name="recording"; filename="J\xf6rg.wav"'],
    ids=["empty", "Latin-1"],
)
def test_a_file_without_a_name_is_told_in_words(pbx: Browser, disposition: str) -> None:
    response = raw(pbx, USER, part(disposition, RECORDING))

    assert response.status_code == 422
    assert "file name" in json.loads(response.content)["detail"]


def test_a_recording_as_a_text_is_told_in_words(pbx: Browser) -> None:
    response = raw(pbx, USER, part('name="recording"', bytes(3 * 1024 * 1024)))

    assert response.status_code == 413
    assert "file name" in json.loads(response.content)["detail"]


def test_any_name_of_the_file_is_taken(pbx: Browser) -> None:
    for name in ("x" * 300 + ".wav", "\u202e\tvaw.\x07", "CON", "a\\b/c"):
        file = SimpleUploadedFile("a.wav", RECORDING)
        file._name = name  # type: ignore[attr-defined]  # the client's, uncleaned
        values = {**CALLED, "recording": file}
        assert pbx.post(ADDRESS, values).status_code == 202, name  # type: ignore[arg-type]


@pytest.mark.parametrize("charset", ["hex", "rot13", "utf-16", "klingon"])
def test_no_charset_is_an_error_of_ours(pbx: Browser, charset: str) -> None:
    recording = part('name="recording"; filename="a.wav"', RECORDING)

    response = raw(pbx, USER, recording, more=f"; charset={charset}")

    assert response.status_code in (202, 400, 404, 422)
