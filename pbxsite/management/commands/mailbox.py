"""The local mailbox as a process: receives mails on the loopback address."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from pbxsite.embedded import data_dir, mailbox


class Command(BaseCommand):
    help = "Receive every mail for any recipient and keep it in DATA_DIR/mailbox."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        directory = data_dir.mailbox(settings.DATA_DIR)
        asyncio.run(mailbox.serve(directory, options["port"]))
