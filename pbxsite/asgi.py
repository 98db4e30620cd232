"""The ASGI application; it serves three kinds of addresses without Django's middleware.

With the middleware, each waiting browser or myApps client would hold a thread and a
database connection until it leaves; and proxies ask about every file of a page.
"""

from __future__ import annotations

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbxsite.settings")
django.setup()

from pbxsite.edge.bodies import Handler, limited  # noqa: E402
from pbxsite.edge.lifespan import lifespan  # noqa: E402
from pbxsite.edge.places import in_turn  # noqa: E402
from pbxsite.edge.responses import Application  # noqa: E402
from pbxsite.edge.senders import from_known_senders  # noqa: E402
from pbxsite.edge.stream_limits import guarded  # noqa: E402
from pbxsite.gateway.forward.application import forward_auth  # noqa: E402
from pbxsite.gateway.myapps.endpoint import myapps_socket  # noqa: E402
from verification.approval.live.streams import STREAMS, stream  # noqa: E402

handler = Handler()
django_application = limited(from_known_senders(in_turn(handler)))
event_stream = guarded(stream)
FORWARD_AUTH = "/forward-auth/"


async def application(scope: Any, receive: Any, send: Any) -> None:
    await _application_for(scope)(scope, receive, send)


def _application_for(scope: Any) -> Application:
    if scope["type"] == "lifespan":
        return lifespan
    if scope["type"] == "websocket":
        return myapps_socket
    if scope["path"].startswith(FORWARD_AUTH):
        return forward_auth
    return event_stream if scope["path"] in STREAMS else django_application
