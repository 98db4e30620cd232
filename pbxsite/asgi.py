"""The ASGI door: event streams are served before Django's middleware.

Behind the middleware each waiting browser would hold a thread and a database
connection until its stream ends.
"""

from __future__ import annotations

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbxsite.settings")
django.setup()

from django.core.handlers.asgi import ASGIHandler  # noqa: E402

from pbxsite.lifespan import lifespan  # noqa: E402
from pbxsite.streams import guarded  # noqa: E402
from verification.events import STREAMS, stream  # noqa: E402

django_application = ASGIHandler()
event_stream = guarded(stream)


async def application(scope: Any, receive: Any, send: Any) -> None:
    await _application_for(scope)(scope, receive, send)


def _application_for(scope: Any) -> Any:
    if scope["type"] == "lifespan":
        return lifespan
    is_stream = scope["type"] == "http" and scope["path"] in STREAMS
    return event_stream if is_stream else django_application
