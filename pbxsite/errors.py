"""The answer to too many requests."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

RETRY_AFTER_SECONDS = 60


@never_cache
def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Say when to come back (RFC 6585, 4)."""
    response = render(
        request, "429.html", {"retry_after": RETRY_AFTER_SECONDS}, status=429
    )
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
