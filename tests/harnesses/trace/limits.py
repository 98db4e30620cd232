"""What each piece of work may touch at most."""

from __future__ import annotations

from dataclasses import dataclass

from tests.harnesses.trace.counting import Trace

LOGIN, WORKER, TRIAL, CALLBACK = "login", "worker", "Send test", "OAuth2 callback"


@dataclass(frozen=True)
class Limit:
    files: int | None = None
    changes: int | None = None


NO_LIMIT = Limit()
LIMITS = {
    LOGIN: Limit(files=14, changes=12),
    WORKER: Limit(files=20),
    TRIAL: Limit(files=12),
    CALLBACK: Limit(files=16),
}


def excesses(name: str, trace: Trace) -> list[str]:
    """Return a sentence for each limit that the trace is over."""
    limit, found = LIMITS.get(name, NO_LIMIT), []
    if limit.files is not None and len(trace.files) > limit.files:
        found.append(f"{name}: {len(trace.files)} files, at most {limit.files}")
    if limit.changes is not None and len(trace.changes) > limit.changes:
        words = f"{len(trace.changes)} changes of package, at most {limit.changes}"
        found.append(f"{name}: {words}")
    return found
