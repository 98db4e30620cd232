#!/bin/sh
# mutagen 1.48.1; tinytag 2.3.2 and soundfile 0.14.0 (numpy 2.4.6) beside it.
#
# mutagen says that ten seconds of a GSM 6.10 WAV, as telephone systems record voicemail, last
# 0.03125 seconds: 1/320 of the truth. No error, and the file is right: the others say 10.
# It counts a block as one sample, but a block of GSM (65 bytes) holds 320. IMA ADPCM (505 samples
# in a block) is as wrong; G.711, where a block is a sample, is right.
#
# Why it surprises: A-law and mu-law, which Python's own wave module refuses, are read well, so
# mutagen seems to know telephony; a duration that is merely small raises nobody's suspicion.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q mutagen==1.48.1 tinytag==2.3.2 soundfile==0.14.0 numpy==2.4.6 \
    2>pip.log || { cat pip.log; exit 1; }

cat >try.py <<'END'
import mutagen
import numpy
import soundfile
import tinytag

tone = 0.3 * numpy.sin(numpy.arange(80_000) * 0.3)
for kind in ("PCM_16", "ALAW", "ULAW", "GSM610", "IMA_ADPCM"):
    soundfile.write("ten.wav", tone, 8000, subtype=kind)
    seconds = (
        mutagen.File("ten.wav").info.length,
        tinytag.TinyTag.get("ten.wav").duration,
        soundfile.info("ten.wav").duration,
    )
    print(kind, *(f"{each:.5f}" for each in seconds))
END
venv/bin/python try.py | tee seen
diff - seen <<'END'
PCM_16 10.00000 10.00000 10.00000
ALAW 10.00000 10.00000 10.00000
ULAW 10.00000 10.00000 10.00000
GSM610 0.03125 10.00000 10.00000
IMA_ADPCM 0.01988 10.03688 10.03688
END
