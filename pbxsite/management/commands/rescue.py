"""`manage.py rescue [NAME] [--reset]`: a way in when nothing else is left."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from authconfig.choices import AuthenticationType, Event
from authconfig.models import AuthenticationSettings
from authconfig.names import name_key
from authconfig.users import audit, settings_history
from authconfig.users.models import PbxUser
from pbxsite.management.site_command import SiteCommand
from verification.login.rescue import LINK_TTL, make_link


class Command(SiteCommand):
    help = "Print a link that logs an administrator in, once and within 10 minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="Which administrator.")
        parser.add_argument(
            "--reset",
            action="store_true",
            help="Also set PBX only, with two-factor authentication off.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        administrator = find_administrator(options["name"])
        if options["reset"]:
            reset()
            self.stdout.write("PBX only is set, two-factor authentication is off.")
        minutes = LINK_TTL.total_seconds() // 60
        self.stderr.write(f"For {administrator.name}, once, within {minutes:.0f} min:")
        self.stdout.write(make_link(administrator))


def find_administrator(name: str | None) -> PbxUser:
    administrators = PbxUser.objects.filter(is_staff=True, is_active=True)
    if name:
        administrators = administrators.filter(name_key=name_key(name))
    found = administrators.order_by("-is_superuser", "pk").first()
    if found is None:
        raise CommandError(
            f"{name or 'Nobody'} is no active administrator."
            " Make one: manage.py pbxusers add NAME --admin"
        )
    return found


def reset() -> None:
    """Set what the page would refuse: the command line is the owner's."""
    before = AuthenticationSettings.load()
    AuthenticationSettings.objects.update(
        authentication_type=AuthenticationType.PBX_ONLY,
        two_factor=False,
        factor_required=False,
    )
    settings_history.note(before, AuthenticationSettings.load(), actor=None)
    audit.record(
        Event.SETTING_CHANGED,
        user=None,
        detail="rescue: authentication_type → “pbx_only”, two_factor → “False”",
    )
