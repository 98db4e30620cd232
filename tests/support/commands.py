"""Management commands without a start of Python for each.

A process that has loaded Django reads a command as a line of JSON, runs it in a copy of
itself and answers with a line of JSON.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from dataclasses import dataclass
from typing import IO, Any

from django.core.management import execute_from_command_line

LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    code: int
    stdout: str
    stderr: str


class Commands:
    """The end of the line where commands are given."""

    def __init__(self, line: socket.socket) -> None:
        line.settimeout(LIMIT_SECONDS)
        self._line, self._file = line, line.makefile("rw")

    def run(self, *words: str, stdin: str = "") -> Answer:
        self._file.write(json.dumps({"words": words, "stdin": stdin}) + "\n")
        self._file.flush()
        return Answer(**json.loads(self._file.readline()))

    def end(self) -> None:
        self._file.close()
        self._line.close()


def serve(line: socket.socket) -> None:
    """Run what comes, until the other end is closed."""
    with line.makefile("rw") as file:
        for asked in file:
            file.write(json.dumps(_answer(**json.loads(asked))) + "\n")
            file.flush()


def _answer(words: list[str], stdin: str) -> dict[str, Any]:
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as errors,
    ):
        given.write(stdin)
        given.seek(0)
        child = os.fork()
        if not child:
            _be_the_command(words, given, out, errors)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        errors.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return {"code": code, "stdout": out.read(), "stderr": errors.read()}


def _be_the_command(words: list[str], *files: IO[str]) -> None:
    for number, file in enumerate(files):
        os.dup2(file.fileno(), number)
    code = 1
    try:
        with os.fdopen(0, closefd=False) as sys.stdin:
            execute_from_command_line(["manage.py", *words])
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except Exception:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
