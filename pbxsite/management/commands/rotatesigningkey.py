"""`manage.py rotatesigningkey`: sign what clients are told with a new key."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils.timezone import localtime

from authconfig.choices import Event
from authconfig.users import audit
from pbxsite.gateway.openid import keys
from pbxsite.management.site_command import SiteCommand


class Command(SiteCommand):
    help = (
        "Sign ID tokens with a new key. The old one is published for another day, so"
        " that what it signed is still believed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        words = "publish no older key any more: what they signed is believed no longer"
        parser.add_argument("--leaked", action="store_true", help=words)

    def handle(self, *args: Any, leaked: bool, **options: Any) -> None:
        keys.rotate(leaked=leaked)
        detail = "new signing key" + (", older ones withdrawn" if leaked else "")
        audit.record(Event.SETTING_CHANGED, user=None, detail=detail)
        older = keys.published().filter(is_current=False)
        self.stdout.write("ID tokens are signed with a new key.")
        for key in older:
            assert key.over_at
            until = f"{localtime(key.over_at):%Y-%m-%d %H:%M}"
            self.stdout.write(f"The key of {key} is published until {until}.")
