"""Which request and which login a line of the log belongs to, also in a worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="")
login_id: ContextVar[str] = ContextVar("login_id", default="")


def current_request_id() -> str:
    return request_id.get()


@contextmanager
def about(login: Any, request: str | None = None) -> Iterator[None]:
    """Name the login, and the request that a mail was queued by, in each line."""
    kept = login_id.set(str(login.public_id) if login else "")
    kept_request = request_id.set(request_id.get() if request is None else request)
    try:
        yield
    finally:
        login_id.reset(kept)
        request_id.reset(kept_request)
