"""What lies in the mailboxes of a mail server, by Message-ID."""

from __future__ import annotations

import re
import time
from pathlib import Path

MESSAGE_ID = re.compile(rb"^message-id:\s*<([^@>]+)@", re.IGNORECASE | re.MULTILINE)


def message_ids(mailboxes: Path) -> list[str]:
    """Return what stands before the @ of each mail's Message-ID, doubled ones twice."""
    found = []
    for file in mailboxes.glob("*/new/*"):
        if match := MESSAGE_ID.search(file.read_bytes()):
            found.append(match[1].decode())
    return sorted(found)


def await_mails(mailboxes: Path, count: int, seconds: float) -> list[str]:
    """Return the Message-IDs as soon as there are so many, or the time is over."""
    limit = time.monotonic() + seconds
    while len(found := message_ids(mailboxes)) < count and time.monotonic() < limit:
        time.sleep(0.1)
    return found
