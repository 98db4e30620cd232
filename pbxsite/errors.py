"""The pages for too many requests, and for requests that the database cannot serve."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.defaults import server_error

RETRY_AFTER_SECONDS = 60
RETRY_AFTER_OUTAGE_SECONDS = 5


@never_cache
def too_many_requests(request: HttpRequest) -> HttpResponse:
    response = render(
        request, "429.html", {"retry_after": RETRY_AFTER_SECONDS}, status=429
    )
    # RFC 6585, 4.
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


@never_cache
def failed(request: HttpRequest) -> HttpResponse:
    """Tell an outage of the database, which ends, from a fault of this site."""
    # Django calls this while it handles what was raised.
    if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        return _unavailable()
    return server_error(request)


def _unavailable() -> HttpResponse:
    """Say when to come back, on a page that needs no database."""
    # Without the request: its context processors would ask for the user.
    response = HttpResponse(render_to_string("503.html"), status=503)
    response["Retry-After"] = str(RETRY_AFTER_OUTAGE_SECONDS)
    return response
