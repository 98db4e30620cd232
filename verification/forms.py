"""What people enter about logins, sessions and passwords, and the PBX's voicemails."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import PasswordChangeForm
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from authconfig.models import PbxUser
from authconfig.validators import validate_one_line
from verification.audio import KNOWN, WAV, audio_type, wav_seconds
from verification.choices import Decision


class DecisionForm(forms.Form):
    """`code` is needed for "accept" alone."""

    code = forms.CharField(
        label=_("Code"),
        required=False,
        max_length=8,
        widget=forms.TextInput(
            attrs={
                "inputmode": "numeric",
                "autocomplete": "one-time-code",
                "pattern": "[0-9]{4}",
                "maxlength": "4",
                "required": True,
            }
        ),
    )
    decision = forms.ChoiceField(choices=Decision.choices)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        code = cleaned.get("code", "").replace(" ", "")
        accepts = cleaned.get("decision") == Decision.ACCEPT
        if accepts and not (len(code) == 4 and code.isascii() and code.isdigit()):
            self.add_error("code", _("Enter the four digits of the waiting page."))
        return cleaned | {"code": code}


class VoicemailForm(forms.Form):
    """A voicemail as the PBX tells of it; for scripts, so in English alone."""

    NOT_AUDIO, TOO_LARGE = "not_audio", "too_large"

    user = forms.CharField(max_length=150)
    caller = forms.CharField(
        max_length=64, required=False, validators=[validate_one_line]
    )
    caller_name = forms.CharField(
        max_length=150, required=False, validators=[validate_one_line]
    )
    time = forms.DateTimeField(
        required=False,
        error_messages={"invalid": "Write it like 2026-11-24T18:23:00+01:00."},
    )
    duration = forms.IntegerField(min_value=0, max_value=86400, required=False)
    recording = forms.FileField(max_length=255)

    def sentences(self) -> list[str]:
        """Return every fault with the name of its field."""
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
        if kind == WAV and wav_seconds(file) is None:
            raise forms.ValidationError("The recording holds no sound.", code="empty")
        return file


class EndingForm(forms.Form):
    """Stands on the page of a rejection alone."""

    token = forms.CharField(widget=forms.HiddenInput)


class OwnPasswordForm(PasswordChangeForm):
    """Django's, in our words."""

    error_messages = PasswordChangeForm.error_messages | {
        "password_incorrect": _("This is not your present PBX password."),
        "password_mismatch": _("The two new passwords are not the same."),
    }

    def clean_new_password1(self) -> str:
        new: str = self.cleaned_data["new_password1"]
        if self.user.check_password(new):
            raise forms.ValidationError(
                _("This is your present password. Enter another.")
            )
        return new

    def validate_password_for_user(self, user: PbxUser, *_names: str) -> None:
        """Django would show the fault at the repetition."""
        super().validate_password_for_user(user, "new_password1")
