"""The log: lines for people in development, JSON for machines in production.

Each line names its request and login, if it has them. Query strings are never logged:
links carry their secrets there.
"""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse

from verification import log_context

logger = logging.getLogger(__name__)
HEADER = "X-Request-ID"
# Of a proxy we take no other name for a request: it could forge lines or columns.
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
# Machines ask for these every few seconds, or they are harmless.
NOT_LOGGED = ("/livez", "/readyz", "/metrics", "/static/", "/admin/queue/live/")
# The same warning comes at most so often in so many seconds.
MOST_REPETITIONS, REPETITION_SECONDS = 50, 10.0
MOST_SENTENCES = 1000
FIELDS = ("method", "path", "status", "milliseconds")


class ContextFilter(logging.Filter):
    """Adds the request and the login that the line belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = log_context.request_id.get()
        if not hasattr(record, "login_id"):
            record.login_id = log_context.login_id.get()
        return True


class RepetitionFilter(logging.Filter):
    """Lets the same warning through a few times, then says how often it came.

    A process that is out of open files would fill the disk with one sentence.
    """

    def __init__(self) -> None:
        super().__init__()
        # For each sentence: when its period began, and how often it came since.
        self._seen: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        key, now = (record.name, hash(str(record.msg))), time.monotonic()
        began, count = self._seen.get(key, (now, 0))
        if now - began > REPETITION_SECONDS:
            if count > MOST_REPETITIONS:
                record.msg = f"{record.msg} (and {count - MOST_REPETITIONS} times more)"
            began, count = now, 0
        if len(self._seen) > MOST_SENTENCES:
            self._seen.clear()
        self._seen[key] = began, count + 1
        return count < MOST_REPETITIONS


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        ids = {
            "request": getattr(record, "request_id", ""),
            "login": getattr(record, "login_id", ""),
        }
        named = " ".join(f"{name}={value}" for name, value in ids.items() if value)
        line = super().format(record)
        first, newline, rest = line.partition("\n")
        return f"{first} [{named}]{newline}{rest}" if named else line


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request": getattr(record, "request_id", ""),
            "login": getattr(record, "login_id", ""),
        }
        line |= {name: getattr(record, name, None) for name in FIELDS}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        filled = {
            name: value for name, value in line.items() if value not in ("", None)
        }
        return json.dumps(filled, ensure_ascii=False, default=str)


class RequestLog:
    """Gives each request a name, tells the browser, and logs how the request ended."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = _safe(request.headers.get(HEADER, ""))
        kept, began = log_context.request_id.set(name), time.monotonic()
        try:
            response = self.get_response(request)
            response.headers[HEADER] = name
            _log(request, response, time.monotonic() - began)
        finally:
            log_context.request_id.reset(kept)
        return response


def _safe(name: str) -> str:
    return name if SAFE_ID.fullmatch(name) else uuid.uuid4().hex


def _log(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    if request.path.startswith(NOT_LOGGED):
        return
    facts = {
        "method": request.method,
        # Without quoting, a line end in it would begin a line of the log.
        "path": quote(request.path),
        "status": response.status_code,
        "milliseconds": round(seconds * 1000),
    }
    logger.info("%(method)s %(path)s: %(status)s", facts, extra=facts)


LOGGERS: dict[str, dict[str, Any]] = {
    # It warns of every wrong password, with the user's name; the audit log
    # has both.
    "django_auth_ldap": {"level": "ERROR"},
    # The web server brings handlers of its own.
    "uvicorn": {"handlers": ["console"], "propagate": False},
    "uvicorn.error": {"handlers": [], "propagate": True},
    # It would log query strings, and links carry their secret there.
    "uvicorn.access": {"handlers": [], "propagate": False},
    # At INFO it tells of each task, several times a second.
    "celery": {"level": "WARNING"},
    # It tells of each try while the server is down; requests tell of the outage.
    "psycopg.pool": {"level": "ERROR"},
}


def configuration(level: str, form: str) -> dict[str, Any]:
    text = "{asctime} {levelname} {name}: {message}"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "context": {"()": "pbxsite.logs.ContextFilter"},
            "repetition": {"()": "pbxsite.logs.RepetitionFilter"},
        },
        "formatters": {
            "text": {"()": "pbxsite.logs.TextFormatter", "format": text, "style": "{"},
            "json": {"()": "pbxsite.logs.JsonFormatter"},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": form,
                "filters": ["repetition", "context"],
            }
        },
        "loggers": LOGGERS,
        "root": {"handlers": ["console"], "level": level},
    }
