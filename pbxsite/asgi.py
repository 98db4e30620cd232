"""The ASGI door: event streams are served before Django's middleware.

Behind the middleware each waiting browser would hold a thread and a database
connection until its stream ends.
"""

from __future__ import annotations

import os

import django
from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    Scope,
)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbxsite.settings")
django.setup()

from django.core.handlers.asgi import ASGIHandler  # noqa: E402

from verification.events import EVENTS_PATH, stream  # noqa: E402

django_application = ASGIHandler()


async def application(
    scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    is_stream = scope["type"] == "http" and scope["path"] == EVENTS_PATH
    app: ASGI3Application = stream if is_stream else django_application
    await app(scope, receive, send)
