"""A site as `manage.py runsite` runs it, whose processes are copies of one.

A start of Python with all that the site imports takes seconds, and a site has five of
them. Here one process imports everything; where `runsite` starts Python, the child goes
on from there. tests/pbxsite/embedded/test_runsite.py starts the processes as they
really are.
"""

from __future__ import annotations

import argparse
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import django
from django.core.management import (
    execute_from_command_line,
    get_commands,
    load_command_class,
)

from pbxsite.celery import app as celery_app
from tests.support.commands import serve

# What the site's processes import, besides the models and the commands.
MODULES = (
    "pbxsite.urls",
    "pbxsite.asgi",
    "uvicorn.main",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "celery.bin.celery",
    "celery.apps.worker",
    "celery.apps.beat",
    "celery.concurrency.thread",
    "kombu.transport.redis",
)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Python ignores them at its start; Popen's child has them end the process again.
IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)


class Popen(subprocess.Popen[bytes]):
    """Starts Python's programs as copies of this process, and others as ever."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        python, *words = command
        # The guard wants a Python of its own, without anybody's modules.
        if python == sys.executable and "-I" not in words:
            options["preexec_fn"] = partial(_become, words, options["env"])
        super().__init__(command, **options)


def _become(words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Be what `python words` would be; this never comes back."""
    # The parent waits until its end of a pipe among them is closed.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    code = 1
    try:
        _run(words)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(words: Sequence[str]) -> None:
    if words[0] == "-m":
        sys.argv = list(words[1:])
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(words)
        runpy.run_path(words[0], run_name="__main__")


def _import_everything() -> None:
    django.setup()
    for name in MODULES:
        import_module(name)
    for name, application in get_commands().items():
        if application == "pbxsite":
            load_command_class(application, name)


def _sweep_every(seconds: float) -> None:
    changes = {"schedule": seconds, "options": {"expires": seconds}}
    celery_app.conf.beat_schedule["wake-due-mails"].update(changes)


def _serve_commands(number: int) -> None:
    with socket.socket(fileno=number) as line:
        if not os.fork():
            serve(line)
            os._exit(0)


def main() -> None:
    """Run it with the options of `runsite`, and of a socket on which commands come."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, metavar="NUMBER")
    options, words = parser.parse_known_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbxsite.settings")
    _import_everything()
    if options.commands:
        _serve_commands(options.commands)
    if seconds := os.environ.get("SWEEP_SECONDS"):
        _sweep_every(float(seconds))
    subprocess.Popen = Popen  # type: ignore[misc]
    execute_from_command_line(["manage.py", "runsite", *words])


if __name__ == "__main__":
    main()
