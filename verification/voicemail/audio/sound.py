"""What a recording is, by its content, since its file's name could say anything.

No library knows all that telephone systems record (docs/decisions/mail).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

HEAD_BYTES = 16


@dataclass(frozen=True)
class AudioType:
    name: str
    content_type: str
    suffix: str


WAV = AudioType("WAV", "audio/wav", ".wav")
MP3 = AudioType("MP3", "audio/mpeg", ".mp3")
M4A = AudioType("M4A", "audio/mp4", ".m4a")
OGG = AudioType("Ogg", "audio/ogg", ".ogg")
# The last two are of files for more than 4 GB, which some recorders always write.
WAV_STARTS = (b"RIFF", b"RF64", b"BW64")
# A frame of MPEG-1, MPEG-2 and MPEG-2.5 (8, 11.025 and 12 kHz), each with and without
# a checksum.
MP3_STARTS = (
    *(b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2"),
    *(b"\xff\xe3", b"\xff\xe2"),
)
# A file of the type begins with one of these.
TYPES: tuple[tuple[AudioType, tuple[bytes, ...]], ...] = (
    (MP3, (b"ID3", *MP3_STARTS)),
    (OGG, (b"OggS",)),
    (AudioType("FLAC", "audio/flac", ".flac"), (b"fLaC",)),
    (AudioType("AMR", "audio/amr", ".amr"), (b"#!AMR",)),
    (AudioType("AU", "audio/basic", ".au"), (b".snd",)),
)
SUFFIXES = {
    kind.content_type: kind.suffix for kind in (WAV, M4A, *(kind for kind, _ in TYPES))
}
KNOWN = "WAV, MP3, Ogg, FLAC, M4A, AMR or AU"


def audio_type(file: IO[bytes]) -> AudioType | None:
    """Tell by the file's beginning; None if it is no audio that mailboxes play."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if head.startswith(WAV_STARTS) and head[8:12] == b"WAVE":
        return WAV
    if head[4:11] in (b"ftypM4A", b"ftypmp4", b"ftypiso"):
        return M4A
    return next((kind for kind, starts in TYPES if head.startswith(starts)), None)


def suffix_of(content_type: str) -> str:
    return SUFFIXES.get(content_type, "")
