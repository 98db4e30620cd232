"""`manage.py voicemailkey show|make|revoke`: what the PBX posts voicemails with."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from pbxsite.management.site_command import KeyCommand
from verification.voicemail import keys
from verification.voicemail.models import VoicemailKey


class Command(KeyCommand):
    help = "Make or revoke the key with which the PBX posts voicemails."
    keys = keys
    revoke_help = "nobody can post any more"

    def current(self) -> VoicemailKey | None:
        return keys.current_key()

    def address(self) -> str:
        return f"{settings.SITE_URL}{reverse('verification:voicemail')}"
