"""The peers: a bare Django view that returns 200, and one that reads the session."""

from __future__ import annotations

from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

# As ours: else each answer would come in chunks.
EMPTY = {"Content-Length": "0"}


async def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse(headers=EMPTY)


def with_session(request: HttpRequest) -> HttpResponse:
    request.session.get("kind")
    return HttpResponse(headers=EMPTY)


urlpatterns = [
    path("livez", bare),
    path("bare/", bare),
    path("session/", with_session),
]
application = get_asgi_application()
