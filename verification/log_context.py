"""The request and the login that a line of the log belongs to, also in a worker."""

from __future__ import annotations

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
login_id: ContextVar[str] = ContextVar("login_id", default="")
