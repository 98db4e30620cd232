"""A command that asks the site which runs on DATA_DIR, in place of a start of its own.

It imports a little of Python's library alone, for a start of all that the site imports
takes a second. Whatever is in the way, the command runs by itself.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence

# They read, and print what the running site knows; every other command may be of a
# newer release than the site is.
ANSWERED = (("queue",), ("authconfig", "show"))
NAME = "questions.sock"
# Linux takes 107 bytes, other systems as few as 103.
LONGEST_PATH = 100
LIMIT_SECONDS = 60
REFUSED = b"refused"


def place(data_dir: str) -> str | None:
    """Return where the site listens; none below a directory of a long name."""
    path = os.path.join(os.path.realpath(data_dir), NAME)  # noqa: PTH118
    return path if len(os.fsencode(path)) <= LONGEST_PATH else None


def is_answered(words: Sequence[str]) -> bool:
    return any(tuple(words[: len(each)]) == each for each in ANSWERED)


def ask(
    words: Sequence[str], environment: Mapping[str, str], data_dir: str
) -> int | None:
    """Let the site print to this command's output; None if no site answers."""
    path = place(data_dir)
    if not is_answered(words) or path is None:
        return None
    question = json.dumps({"words": words, "environment": dict(environment)})
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(LIMIT_SECONDS)
            line.connect(path)
            socket.send_fds(line, [b"?"], [1, 2])
            line.sendall(question.encode())
            line.shutdown(socket.SHUT_WR)
            answer = line.recv(16)
    except OSError:
        return None
    return int(answer) if answer.isdigit() else None
