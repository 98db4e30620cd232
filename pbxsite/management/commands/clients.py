"""`manage.py clients add NAME | list`: the client applications."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError

from authconfig.clients.models import ClientApplication
from pbxsite.management.clients_actions import add_actions
from pbxsite.management.clients_rows import added, told
from pbxsite.management.faults import fault_lines
from pbxsite.management.site_command import SiteCommand


class Command(SiteCommand):
    help = "Add or list the client applications behind the site."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_actions(parser)

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if action == "list":
            self._list(as_json=options["json"])
            return
        try:
            made = added(options)
        except ValidationError as error:
            self.stderr.write("\n".join(fault_lines(error)))
            raise SystemExit(1) from None
        for name, value in made.items():
            # Alone on their lines, for scripts.
            self.stdout.write(f"{name}={value}")

    def _list(self, *, as_json: bool) -> None:
        found = [told(each) for each in ClientApplication.objects.order_by("slug")]
        if as_json:
            self.stdout.write(json.dumps(found, indent=2))
            return
        for facts in found:
            client_id = (facts["openid"] or {}).get("client_id", "")
            words = (facts["slug"], facts["kind"], facts["asks_by"], client_id)
            self.stdout.write("  ".join(filter(None, words)))
