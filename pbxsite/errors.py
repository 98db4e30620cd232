"""The pages for requests that cannot be served: too many, not fitting, or outages."""

from __future__ import annotations

import sys
from functools import cache

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.defaults import server_error

from authconfig.users.passwords import TooManyHashesError
from verification.proxies import AddressUnknownError

RETRY_AFTER_SECONDS = 60
RETRY_AFTER_OUTAGE_SECONDS = 5
RETRY_AFTER_CROWD_SECONDS = 5


@never_cache
def too_many_requests(request: HttpRequest) -> HttpResponse:
    response = render(
        request, "429.html", {"retry_after": RETRY_AFTER_SECONDS}, status=429
    )
    # RFC 6585, 4.
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


@never_cache
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Name the setting where it is ours that does not fit the request."""
    fault = str(exception) if isinstance(exception, AddressUnknownError) else ""
    return render(request, "400.html", {"fault": fault}, status=400)


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


class TooManyLogins(MiddlewareMixin):
    """Middleware: tell those whose password nobody had the time to look at."""

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        if not isinstance(exception, TooManyHashesError):
            return None
        response = crowded()
        add_never_cache_headers(response)
        return response


def crowded() -> HttpResponse:
    """Say in the active language when to come back."""
    response = HttpResponse(_crowded_page(get_language()), status=503)
    response["Retry-After"] = str(RETRY_AFTER_CROWD_SECONDS)
    return response


@cache
def _crowded_page(_language: str | None) -> str:
    """Render it once in each language: a crowd asks for it all at once."""
    names = {"site_name": settings.SITE_NAME, "contact_line": settings.CONTACT_LINE}
    return render_to_string("503_crowded.html", names)
