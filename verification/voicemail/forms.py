"""The form by which a PBX posts a voicemail."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from verification.voicemail.audio.sound import KNOWN, WAV, audio_type
from verification.voicemail.audio.wav import read_wav
from verification.voicemail.fields import DurationField, LineField, MomentField

NO_FILE = (
    "Post the recording as a file, under a file name that is not empty and in UTF-8."
)


class VoicemailForm(forms.Form):
    """Its errors are for scripts, so they are in English alone."""

    NOT_AUDIO, TOO_LARGE = "not_audio", "too_large"

    user = LineField(longest=150)
    caller = LineField(longest=64, required=False)
    caller_name = LineField(longest=150, required=False)
    time = MomentField(
        required=False,
        error_messages={"invalid": "Write it like 2026-11-24T18:23:00+01:00."},
    )
    duration = DurationField(min_value=0, required=False)
    recording = forms.FileField(error_messages={"required": NO_FILE})

    def sentences(self) -> list[str]:
        return [
            f"{name}: {' '.join(map(str, texts))}"
            for name, texts in self.errors.items()
        ]

    def clean_recording(self) -> UploadedFile[bytes]:
        file: UploadedFile[bytes] = self.cleaned_data["recording"]
        if (file.size or 0) > settings.VOICEMAIL_MAX_BYTES:
            most = settings.VOICEMAIL_MAX_BYTES
            text = f"The recording is larger than {most} bytes (VOICEMAIL_MAX_MB)."
            raise forms.ValidationError(text, code=self.TOO_LARGE)
        kind = audio_type(file)
        if kind is None:
            text = f"This is no audio file that mailboxes play: send {KNOWN}."
            raise forms.ValidationError(text, code=self.NOT_AUDIO)
        if kind == WAV and not read_wav(file).has_sound:
            raise forms.ValidationError("The recording holds no sound.", code="empty")
        return file
