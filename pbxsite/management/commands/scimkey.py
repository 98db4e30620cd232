"""`manage.py scimkey show|make|revoke`: what an OpenID provider writes users with."""

from __future__ import annotations

from authconfig.sync.models import ScimKey
from authconfig.sync.scim import keys
from pbxsite.management.site_command import KeyCommand
from pbxsite.scim.views import base_url


class Command(KeyCommand):
    help = "Make or revoke the key with which a provider writes users by SCIM."
    keys = keys
    revoke_help = "no user is changed by it"

    def current(self) -> ScimKey | None:
        return ScimKey.current()

    def address(self) -> str:
        return base_url()
