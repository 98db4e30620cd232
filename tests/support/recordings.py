"""Real recordings, made by the tests."""

from __future__ import annotations

import io
import math
import struct
import wave


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
