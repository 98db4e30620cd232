"""What a recording is, by its content, since its file's name could say anything."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

HEAD_BYTES = 16
# A chunk begins with its name and size. In the chunk of the format, the number of bytes
# that a second takes stands here.
CHUNK, BYTE_RATE_AT = struct.Struct("<4sI"), 8


@dataclass(frozen=True)
class AudioType:
    name: str
    content_type: str
    suffix: str


WAV = AudioType("WAV", "audio/wav", ".wav")
MP3 = AudioType("MP3", "audio/mpeg", ".mp3")
# A file of the type begins with one of these.
TYPES: tuple[tuple[AudioType, tuple[bytes, ...]], ...] = (
    (MP3, (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xfa")),
    (AudioType("Ogg", "audio/ogg", ".ogg"), (b"OggS",)),
    (AudioType("FLAC", "audio/flac", ".flac"), (b"fLaC",)),
    (AudioType("AMR", "audio/amr", ".amr"), (b"#!AMR",)),
    (AudioType("AU", "audio/basic", ".au"), (b".snd",)),
)
M4A = AudioType("M4A", "audio/mp4", ".m4a")
KNOWN = "WAV, MP3, Ogg, FLAC, M4A, AMR or AU"


def audio_type(file: IO[bytes]) -> AudioType | None:
    """Tell by the file's beginning; None if it is no audio that mailboxes play."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return WAV
    if head[4:11] in (b"ftypM4A", b"ftypmp4", b"ftypiso"):
        return M4A
    return next((kind for kind, starts in TYPES if head.startswith(starts)), None)


def wav_seconds(file: IO[bytes]) -> float | None:
    """Return how long a WAV plays; None if it holds no sound.

    Python's own module reads PCM alone, and telephone systems record A-law.
    """
    byte_rate, sound = 0, 0
    for name, content_at, size in _chunks(file):
        if name == b"fmt ":
            file.seek(content_at + BYTE_RATE_AT)
            byte_rate = int.from_bytes(file.read(4), "little")
        elif name == b"data":
            # Recorders that stream leave 0 or too large a size here.
            sound = size or file.seek(0, 2) - content_at
            break
    file.seek(0)
    return sound / byte_rate if sound and byte_rate else None


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, place and size of each chunk, cut off at the end of the file."""
    end, at = file.seek(0, 2), 12
    while at + CHUNK.size <= end:
        file.seek(at)
        name, size = CHUNK.unpack(file.read(CHUNK.size))
        at += CHUNK.size
        yield name, at, min(size, end - at)
        at += size + size % 2
