"""Making a recording smaller by Debian's opus-tools, where these are installed."""

from __future__ import annotations

import io
import logging
import shutil
import subprocess

from verification.voicemail.audio.wav import A_LAW, MU_LAW, PCM, Wav, read_wav

logger = logging.getLogger(__name__)
PROGRAM = "opusenc"
# Speech by telephone; 20 minutes take 3 MB.
KBITS_A_SECOND = 20
LIMIT_SECONDS = 60
OGG_START = b"OggS"


def is_installed() -> bool:
    return shutil.which(PROGRAM) is not None


def smaller(recording: bytes) -> bytes | None:
    """Return the recording as Ogg Opus; None if it cannot be, or is no smaller so."""
    content, options = _readable(recording)
    command = [
        *(PROGRAM, "--quiet", "--bitrate", str(KBITS_A_SECOND)),
        *(*options, "-", "-"),
    ]
    try:
        made = subprocess.run(  # noqa: S603  # nothing of it comes from outside
            command, input=content, capture_output=True, timeout=LIMIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        logger.warning("%s: no smaller recording (%s)", PROGRAM, type(error).__name__)
        return None
    if made.returncode or not made.stdout.startswith(OGG_START):
        logger.warning("%s: no smaller recording (%s)", PROGRAM, made.stderr[:200])
        return None
    return made.stdout if len(made.stdout) < len(recording) else None


def _readable(recording: bytes) -> tuple[bytes, list[str]]:
    """Return what the program reads, and its options: it knows neither A-law nor RF64.

    Whatever else it reads by itself, or refuses.
    """
    wav = read_wav(io.BytesIO(recording))
    sound = recording[wav.sound_at : wav.sound_at + wav.sound_bytes]
    if wav.format in (A_LAW, MU_LAW):
        return _linear(sound, wav.format), _options(wav)
    if wav.format == PCM and wav.block == 2 * wav.channels:
        return sound, _options(wav)
    return recording, []


def _options(wav: Wav) -> list[str]:
    rate, channels = str(wav.rate), str(wav.channels)
    return ["--raw", "--raw-bits", "16", "--raw-rate", rate, "--raw-chan", channels]


def _linear(sound: bytes, law: int) -> bytes:
    """Return G.711 as samples of 16 bits, by a table of its 256 values."""
    value = _from_a_law if law == A_LAW else _from_mu_law
    table = [value(code).to_bytes(2, "little", signed=True) for code in range(256)]
    linear = bytearray(2 * len(sound))
    for place in (0, 1):
        linear[place::2] = sound.translate(bytes(pair[place] for pair in table))
    return bytes(linear)


def _from_a_law(code: int) -> int:
    """ITU-T G.711: sign, three bits of the exponent, four of the mantissa."""
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    size = (mantissa << 4) + 8
    size = (size + 0x100) << (exponent - 1) if exponent else size
    return size if code & 0x80 else -size


def _from_mu_law(code: int) -> int:
    code ^= 0xFF
    exponent, mantissa = code >> 4 & 7, code & 15
    size = (((mantissa << 3) + 0x84) << exponent) - 0x84
    return -size if code & 0x80 else size
