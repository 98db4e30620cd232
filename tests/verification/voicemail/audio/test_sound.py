"""What telephone systems record, told by its content and measured.

The headers are those that ffmpeg 5.1, libsndfile 1.2 and recorders write.
"""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from django.test import Client as Browser

from tests.support.recordings import Packed, chunk, riff, wav
from tests.support.smtp_servers import Server
from tests.support.voicemails import arrived, post, problem
from verification.voicemail.models import Voicemail

PCM = wav(3)[44:]
PCM_FORMAT = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
FORMAT = chunk(b"fmt ", PCM_FORMAT)
LIST = chunk(b"LIST", b"INFOISFT\x0e\0\0\0PBX recorder\0\0")
MP3_FRAME = b"\x18\xc4\x00\x0b\xd0\x03\x0a\x59" + b"\0" * 64
A_LAW, MU_LAW = Packed(6, 8000, 1), Packed(7, 8000, 1)
# How many samples a block holds stands behind the rest.
GSM = Packed(0x31, 1625, 65, struct.pack("<HH", 2, 320))
IMA_ADPCM = Packed(0x11, 16000, 1024, struct.pack("<HH", 2, 2041))
# ffmpeg's rate is twice the right one.
G722 = Packed(0x28F, 16000, 1)
MP3 = Packed(0x55, 0, 576, struct.pack("<HHIHHH", 12, 1, 2, 1152, 1, 1393))
SIZE_IN_DS64 = chunk(b"ds64", struct.pack("<QQQI", 0, len(PCM), len(PCM) // 2, 0))
EXTENSIBLE = struct.pack("<HHIIHHHHIH", 0xFFFE, 1, 8000, 0, 2, 16, 22, 16, 4, 1)
GUID = b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
RECORDINGS: dict[str, tuple[bytes, int | None]] = {
    "A-law": (A_LAW.wav(b"\xd5" * 24000), 3),
    "A-law without a rate": (replace(A_LAW, byte_rate=0).wav(b"\xd5" * 24000), 3),
    "mu-law": (MU_LAW.wav(b"\xff" * 24000, samples=24000), 3),
    "GSM": (GSM.wav(b"\0" * 4875, samples=24000), 3),
    "GSM without a count": (GSM.wav(b"\0" * 4875), 3),
    "IMA ADPCM": (IMA_ADPCM.wav(b"\0" * 12288, samples=24492), 3),
    "G.722": (G722.wav(b"\0" * 12000, samples=24000), 3),
    "MP3 in WAV": (MP3.wav(b"\xff\xe3" + MP3_FRAME, samples=25105), 3),
    "MP3 in WAV without a count": (MP3.wav(b"\xff\xe3" + MP3_FRAME), None),
    "a count beyond reason": (GSM.wav(b"\0" * 65, samples=0xFFFFFFFE), None),
    "RF64": (
        riff(SIZE_IN_DS64, FORMAT, chunk(b"data", PCM, 0xFFFFFFFF), start=b"RF64"),
        3,
    ),
    "extensible PCM": (riff(chunk(b"fmt ", EXTENSIBLE + GUID), chunk(b"data", PCM)), 3),
    "streamed": (riff(FORMAT, chunk(b"data", PCM, 0)), 3),
}


@pytest.mark.parametrize("name", list(RECORDINGS))
def test_a_wav_is_taken_and_measured_whatever_it_holds(pbx: Browser, name: str) -> None:
    recording, seconds = RECORDINGS[name]

    assert post(pbx, recording, duration="").status_code == 202

    found = Voicemail.objects.get()
    assert (found.duration, found.content_type) == (seconds, "audio/wav")


@pytest.mark.parametrize("start", ["ffe3", "ffe2", "fff3", "fffb"])
def test_a_frame_of_any_mpeg_is_an_mp3(
    pbx: Browser, server: Server, start: str
) -> None:
    post(pbx, bytes.fromhex(start) + MP3_FRAME)

    (attachment,) = arrived(server).iter_attachments()
    assert attachment.get_content_type() == "audio/mpeg"


@pytest.mark.parametrize(
    "recording",
    [
        riff(FORMAT, chunk(b"data", b""), LIST),
        riff(FORMAT, chunk(b"data", b""), LIST, chunk(b"id3 ", b"ID3\x04\0")),
        riff(FORMAT, LIST),
        riff(chunk(b"data", PCM)),
    ],
    ids=["a list behind", "an odd chunk behind", "no data", "no format"],
)
def test_a_wav_without_sound_is_refused(pbx: Browser, recording: bytes) -> None:
    assert "recording" in problem(post(pbx, recording), 422)["errors"]


@pytest.mark.parametrize("start", [b"\xff\xfe", b"\xff\xeb", b"\xff\xe0"], ids=repr)
def test_what_only_looks_like_an_mp3_is_refused(pbx: Browser, start: bytes) -> None:
    problem(post(pbx, start + MP3_FRAME), 415)
