"""The running site's side of commands that ask it: each is run by a copy of it."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from select import select
from typing import Any, Self

from django.core.management import execute_from_command_line

from pbxsite.embedded import asking
from pbxsite.embedded.forks import Fork, fork
from pbxsite.env import env

# Who asks has written the question already.
LIMIT_SECONDS = 1.0
LONGEST_QUESTION = 1_000_000
# Whatever comes, the site goes on.
MALFORMED = (ValueError, TypeError, KeyError, AttributeError)
# These may differ without another answer.
OF_THE_START = frozenset(
    {"ADMIN_USERNAME", "ADMIN_PASSWORD", "ADMIN_EMAIL", "DATA_DIR"}
)


class Questions:
    """Listens in DATA_DIR, which is this user's alone."""

    def __init__(self, data_dir: Path, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._path = asking.place(str(data_dir))
        self._listener: socket.socket | None = None
        self._copies: list[Fork] = []

    def __enter__(self) -> Self:
        if self._path:
            Path(self._path).unlink(missing_ok=True)
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(self._path)
            Path(self._path).chmod(0o600)
            self._listener.listen()
        return self

    def __exit__(self, *_: object) -> None:
        if self._listener and self._path:
            self._listener.close()
            Path(self._path).unlink(missing_ok=True)

    def answer(self, seconds: float) -> None:
        """Answer what is asked within so many seconds, and come back."""
        self._copies = [copy for copy in self._copies if copy.poll() is None]
        listeners = [self._listener] if self._listener else []
        for listener in select(listeners, [], [], seconds)[0]:
            with suppress(OSError, *MALFORMED), listener.accept()[0] as line:
                self._answer(line)

    def _answer(self, line: socket.socket) -> None:
        line.settimeout(LIMIT_SECONDS)
        with ExitStack() as files:
            _mark, numbers, _flags, _address = socket.recv_fds(line, 1, 2)
            for number in numbers:
                files.callback(os.close, number)
            question = _read(line)
            if self._is_answered(**question):
                output, errors = numbers
                work = partial(_run, question["words"])
                given = (line.fileno(), output, errors)
                self._copies.append(fork("command", work, given, 0))
            else:
                line.sendall(asking.REFUSED)

    def _is_answered(self, words: Sequence[str], environment: dict[str, str]) -> bool:
        """Refuse who has set the site up otherwise, for this command alone."""
        names = (env.asked | {"DJANGO_SETTINGS_MODULE"}) - OF_THE_START
        given = {n: environment[n] for n in names if n in environment}
        own = {n: self._environment.get(n) for n in given}
        return asking.is_answered(words) and given == own


def _read(line: socket.socket) -> dict[str, Any]:
    text = b""
    while part := line.recv(65536):
        text += part
        if len(text) > LONGEST_QUESTION:
            raise ValueError("too long a question")
    return dict(json.loads(text))


def _run(words: Sequence[str]) -> None:
    """Run the command; its exit code goes back on the line, which is file 0."""
    code = 0
    try:
        execute_from_command_line(["manage.py", *words])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    sys.stdout.flush()
    os.write(0, str(code).encode())
