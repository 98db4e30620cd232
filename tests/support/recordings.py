"""Real recordings, made by the tests."""

from __future__ import annotations

import io
import math
import struct
import wave
from dataclasses import dataclass


def wav(seconds: float = 1.0, rate: int = 8000, tone: float = 440.0) -> bytes:
    """Return a tone as telephone systems record speech: 16 bits, one channel."""
    count = int(seconds * rate)
    samples = (
        int(12000 * math.sin(2 * math.pi * tone * i / rate)) for i in range(count)
    )
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(b"".join(struct.pack("<h", s) for s in samples))
    return file.getvalue()


def a_law_wav(seconds: float = 1.0, rate: int = 8000) -> bytes:
    """Return silence as G.711 A-law, which Python's own module cannot read."""
    sound = b"\xd5" * int(seconds * rate)
    form = struct.pack("<HHIIHHH", 6, 1, rate, rate, 1, 8, 0)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(sound)) + sound
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def seconds_of(content: bytes) -> float:
    """Play it, so to speak."""
    with wave.open(io.BytesIO(content)) as reader:
        assert len(reader.readframes(reader.getnframes())) == reader.getnframes() * 2
        return float(reader.getnframes() / reader.getframerate())


def riff(*chunks: bytes, start: bytes = b"RIFF") -> bytes:
    content = b"".join(chunks)
    return start + struct.pack("<I", 4 + len(content)) + b"WAVE" + content


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    """Return a chunk that says to have `size` bytes."""
    written = len(content) if size is None else size
    return name + struct.pack("<I", written) + content + b"\0" * (len(content) % 2)


@dataclass(frozen=True)
class Packed:
    """The format of a WAV of 8 kHz; `more` stands behind what every format has."""

    number: int
    byte_rate: int
    block: int
    more: bytes = b""

    def wav(self, sound: bytes, samples: int | None = None) -> bytes:
        """Return a WAV; `samples` is what its `fact` chunk says, if it has one."""
        head = struct.pack(
            "<HHIIHH", self.number, 1, 8000, self.byte_rate, self.block, 0
        )
        fact = b"" if samples is None else chunk(b"fact", struct.pack("<I", samples))
        # ffmpeg names itself before the sound.
        tool = chunk(b"LIST", b"INFOISFT\x0e\0\0\0Lavf59.27.100\0")
        return riff(chunk(b"fmt ", head + self.more), fact, tool, chunk(b"data", sound))
