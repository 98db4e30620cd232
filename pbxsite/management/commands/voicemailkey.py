"""`manage.py voicemailkey show|make|revoke`: what the PBX posts voicemails with."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.urls import reverse

from pbxsite.management.site_command import SiteCommand
from verification.voicemail import keys


class Command(SiteCommand):
    help = "Make or revoke the key with which the PBX posts voicemails."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("show", help="Whether there is a key, and its use.")
        actions.add_parser("make", help="Print a new key, once; an older one ends.")
        actions.add_parser("revoke", help="End the key; nobody can post any more.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if action == "make":
            # Alone on its line, for scripts.
            self.stdout.write(keys.make(actor=None))
        elif action == "revoke":
            revoked = keys.revoke(actor=None)
            self.stdout.write("Revoked." if revoked else "There was no key.")
        else:
            self.stdout.write("\n".join(_lines()))


def _lines() -> list[str]:
    key = keys.current_key()
    if key is None:
        return ["key: none"]
    used = f"{key.last_used_at:%Y-%m-%dT%H:%M:%SZ}" if key.last_used_at else "never"
    return [
        f"address: {settings.SITE_URL}{reverse('verification:voicemail')}",
        f"key: made {key.made_at:%Y-%m-%dT%H:%M:%SZ}",
        f"last used: {used}",
    ]
