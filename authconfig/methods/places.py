"""A login's place among those that a process works on at once.

The web server's edge gives the places out (`pbxsite.edge.places`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar


def _no_place() -> None:
    """Nothing: not every password is checked for a login."""


give_back: ContextVar[Callable[[], None]] = ContextVar("give_back", default=_no_place)


def leave_place() -> None:
    """Let the next login come while this one waits for somebody else's server."""
    give_back.get()()
