"""Event streams, which Django's middleware does not see: guarded and counted."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse

from pbxsite.edge.responses import (
    Application,
    answer,
    refusal,
    security_headers,
    with_headers,
)

open_streams: Counter[str] = Counter()

# A proxy that compresses a stream holds an event back until more of them come.
UNCHANGED = "no-store, no-transform"


def guarded(stream: Application) -> Application:
    """Refuse what Django would refuse, and give every answer the site's headers."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        request = ASGIRequest(scope, io.BytesIO())
        session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        send = with_headers(security_headers(request, UNCHANGED), send)
        refused = refusal(request, ["GET"]) or _one_too_many(session)
        # An open stream would keep the request in memory.
        del request
        if refused:
            await answer(refused, send)
            return
        with _counted(session):
            await stream(scope, receive, send)

    return application


def _one_too_many(session: str) -> HttpResponse | None:
    """Refuse a stream too many: its page then asks now and then instead."""
    # The stream itself ends at once if there is no session.
    if not session or open_streams[session] < settings.LIMIT_STREAMS:
        return None
    wait = {"Retry-After": "5"}
    return HttpResponse(status=HTTPStatus.TOO_MANY_REQUESTS, headers=wait)


@contextmanager
def _counted(session: str) -> Iterator[None]:
    open_streams[session] += 1
    try:
        yield
    finally:
        open_streams[session] -= 1
        if not open_streams[session]:
            del open_streams[session]
