"""`manage.py sendvoicemail NAME FILE.wav --caller NUMBER`: as the PBX posts one."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.management.base import CommandError
from django.utils import translation
from django.utils.datastructures import MultiValueDict

from authconfig.users import audit
from pbxsite.management.site_command import SiteCommand
from verification.voicemail import flows
from verification.voicemail.choices import VoicemailFault
from verification.voicemail.forms import VoicemailForm


class Command(SiteCommand):
    help = "Send a recording to the user it belongs to; prints the e-mail's id."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="The user's name or extension number.")
        parser.add_argument("file", type=Path, help="A WAV or other audio file.")
        parser.add_argument("--caller", default="", metavar="NUMBER")
        parser.add_argument("--caller-name", default="", metavar="NAME")
        parser.add_argument("--time", default="", help="2026-11-24T18:23:00+01:00")
        parser.add_argument("--duration", default="", metavar="SECONDS")
        parser.add_argument(
            "--idempotency-key",
            default="",
            metavar="KEY",
            help="The same voicemail with the same key is sent once.",
        )

    def handle(self, *, name: str, file: Path, **options: Any) -> None:
        key = options.pop("idempotency_key")
        try:
            with file.open("rb") as opened:
                size = file.stat().st_size
                upload: UploadedFile[bytes] = UploadedFile(opened, file.name, size=size)
                files = MultiValueDict({"recording": [upload]})
                form = VoicemailForm({"user": name, **options}, files)
                self.stdout.write(self._take(form, key))
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}.") from error

    def _take(self, form: VoicemailForm, key: str) -> str:
        with translation.override("en"):
            faults = form.sentences()
        if faults:
            self.stderr.write("\n".join(faults))
            sys.exit(1)
        posted = flows.PostedVoicemail(**form.cleaned_data, key=key)
        taken = flows.take(posted, audit.NOWHERE)
        if isinstance(taken, VoicemailFault):
            raise CommandError(taken.value)
        return str(taken.public_id)
