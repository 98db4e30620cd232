"""A site as `manage.py runsite` runs it, beside which commands start at once.

Its commands come on a socket and are run by copies of a process that has imported what
they need; and sweeps can come more often than a user would want.
"""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path

import django
from django.core.management import (
    execute_from_command_line,
    get_commands,
    load_command_class,
)

from pbxsite.celery import app as celery_app
from tests.support.commands import serve


def _serve_commands(number: int) -> None:
    with socket.socket(fileno=number) as line:
        if not os.fork():
            for name, application in get_commands().items():
                if application == "pbxsite":
                    load_command_class(application, name)
            serve(line)
            os._exit(0)


def _sweep_every(seconds: float) -> None:
    changes = {"schedule": seconds, "options": {"expires": seconds}}
    celery_app.conf.beat_schedule["wake-due-mails"].update(changes)


def main() -> None:
    """Run it with the options of `runsite`, and of a socket on which commands come."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, metavar="NUMBER")
    options, words = parser.parse_known_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbxsite.settings")
    django.setup()
    # A site that begins anew with a new address is served already.
    if options.commands and Path(f"/proc/self/fd/{options.commands}").exists():
        _serve_commands(options.commands)
    if seconds := os.environ.get("SWEEP_SECONDS"):
        _sweep_every(float(seconds))
    execute_from_command_line(["manage.py", "runsite", *words])


if __name__ == "__main__":
    main()
