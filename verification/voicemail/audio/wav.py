"""What a WAV holds: its format, where its sound lies, and how long it plays.

Python's own module reads PCM alone, and telephone systems record A-law.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO

# Format, channels, samples a second, bytes a second, bytes of a block.
FORMAT = struct.Struct("<HHIIH")
CHUNK, COUNT = struct.Struct("<4sI"), struct.Struct("<I")
FORMAT_BYTES = 40
PCM, FLOATS, A_LAW, MU_LAW = 1, 3, 6, 7
# In these a block holds one sample of each channel.
PLAIN = (PCM, FLOATS, A_LAW, MU_LAW)
# The format's number stands further behind.
EXTENSIBLE, SUBFORMAT_AT = 0xFFFE, 24
# What a recorder writes that streams and never comes back to its header.
UNWRITTEN = (0, 0xFFFFFFFF)
LONGEST_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Wav:
    """`sound_bytes` is 0 where there is no sound, `samples` where nobody counted."""

    format: int = 0
    channels: int = 0
    rate: int = 0
    byte_rate: int = 0
    block: int = 0
    samples: int = 0
    sound_at: int = 0
    sound_bytes: int = 0

    @property
    def has_sound(self) -> bool:
        return bool(self.format and self.sound_bytes)

    @property
    def seconds(self) -> float | None:
        """How long it plays; None if the file does not say, or says nonsense."""
        units, rate = self._length()
        return units / rate if rate and units < LONGEST_SECONDS * rate else None

    def _length(self) -> tuple[int, int]:
        """Return how much there is to play, and how much of it a second takes."""
        if self.format in PLAIN and self.block and self.rate:
            return self.sound_bytes, self.block * self.rate
        # The rate of bytes is an average, and for G.722 some write twice the right one.
        if self.samples not in UNWRITTEN and self.rate:
            return self.samples, self.rate
        return self.sound_bytes, self.byte_rate


def read_wav(file: IO[bytes]) -> Wav:
    chunks = {name: (at, size) for name, at, size in _chunks(file)}
    sound_at, size = chunks.get(b"data", (0, 0))
    wav = replace(
        _format(_content(file, chunks, b"fmt ")),
        samples=_samples(_content(file, chunks, b"fact")),
        sound_at=sound_at,
        sound_bytes=size,
    )
    file.seek(0)
    return wav


def _format(content: bytes) -> Wav:
    if len(content) < FORMAT.size:
        return Wav()
    wav = Wav(*FORMAT.unpack_from(content))
    if wav.format != EXTENSIBLE:
        return wav
    form = int.from_bytes(content[SUBFORMAT_AT : SUBFORMAT_AT + 2], "little")
    return replace(wav, format=form)


def _samples(content: bytes) -> int:
    return COUNT.unpack_from(content)[0] if len(content) >= COUNT.size else 0


def _content(
    file: IO[bytes], chunks: dict[bytes, tuple[int, int]], name: bytes
) -> bytes:
    at, size = chunks.get(name, (0, 0))
    file.seek(at)
    return file.read(min(size, FORMAT_BYTES))


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, place and size of each chunk up to the sound."""
    end, at = file.seek(0, 2), 12
    while at + CHUNK.size <= end:
        name, size = _head(file, at)
        at += CHUNK.size
        if name == b"data":
            yield name, at, _sound_bytes(file, at, size, end)
            return
        yield name, at, min(size, end - at)
        at += size + size % 2


def _head(file: IO[bytes], at: int) -> tuple[bytes, int]:
    file.seek(at)
    name, size = CHUNK.unpack(file.read(CHUNK.size))
    return name, size


def _sound_bytes(file: IO[bytes], at: int, size: int, end: int) -> int:
    """Recorders that stream leave 0 or too large a size at their sound."""
    if not size and _are_chunks(file, at, end):
        return 0
    return min(size or end, end - at)


def _are_chunks(file: IO[bytes], at: int, end: int) -> bool:
    """Is what follows a row of chunks to the file's end? Sound does not look so."""
    while at + CHUNK.size <= end:
        name, size = _head(file, at)
        if not (name.isascii() and name.decode("ascii").isprintable()):
            return False
        at += CHUNK.size + size + size % 2
    return at in (end, end + 1)
