"""Which request and which login a line of the log belongs to, also in a worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
login_id: ContextVar[str] = ContextVar("login_id", default="")


def current_request_id() -> str:
    return request_id.get()


@contextmanager
def about(login: str, request: str | None = None) -> Iterator[None]:
    """Name the login, by its public id, and the request in each line of the log."""
    kept = login_id.set(login)
    kept_request = request_id.set(request_id.get() if request is None else request)
    try:
        yield
    finally:
        login_id.reset(kept)
        request_id.reset(kept_request)
