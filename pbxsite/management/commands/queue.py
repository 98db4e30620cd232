"""`manage.py queue [--json]`: do verification e-mails go out?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from pbxsite.management.site_command import SiteCommand
from verification.overview import Overview, overview


class Command(SiteCommand):
    help = "Show the outgoing e-mails by state and how long the oldest one waits."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        found = overview()
        if options["json"]:
            self.stdout.write(json.dumps(found.as_dict(), cls=DjangoJSONEncoder))
        else:
            self.stdout.write("\n".join(lines(found)))


def lines(found: Overview) -> list[str]:
    waits = found.oldest_due_seconds
    return [
        *(f"{state:<8} {count:>8}" for state, count in found.mails.items()),
        f"due now  {found.due:>8}"
        + (f", the oldest for {waits:.0f} s" if waits is not None else ""),
        f"last sent: {found.last_sent_at or 'never'}",
        f"last failure: {found.last_failure or 'none'}",
    ]
