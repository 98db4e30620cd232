"""`manage.py scimkey show|make|revoke`: what an OpenID provider writes users with."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from authconfig.sync.models import ScimKey
from authconfig.sync.scim import keys
from pbxsite.management.site_command import SiteCommand
from pbxsite.scim.views import base_url


class Command(SiteCommand):
    help = "Make or revoke the key with which a provider writes users by SCIM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("show", help="Whether there is a key, and its use.")
        actions.add_parser("make", help="Print a new key, once; an older one ends.")
        actions.add_parser("revoke", help="End the key; no user is changed by it.")

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
    key = ScimKey.current()
    if key is None:
        return ["key: none"]
    used = f"{key.last_used_at:%Y-%m-%dT%H:%M:%SZ}" if key.last_used_at else "never"
    return [
        f"address: {base_url()}",
        f"key: made {key.made_at:%Y-%m-%dT%H:%M:%SZ}",
        f"last used: {used}",
    ]
