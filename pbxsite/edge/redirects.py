"""A proxy that encrypts and does not say so would send browsers in circles."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.cache import add_never_cache_headers

logger = logging.getLogger(__name__)
HEADER = "X-Forwarded-Proto"
# Browsers take and give a cookie of such a name by https alone.
MARK = "__Host-pbx_by_https"
MARK_SECONDS = 60


class EndlessRedirects:
    """Middleware: leads to https once, and tells who comes back as if by http.

    Whoever was led away and has the cookie did ask by https. A site that leads nobody
    there does without it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.SECURE_SSL_REDIRECT:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not _leads_to_https(request, response):
            return response
        if MARK in request.COOKIES:
            return _told(request)
        # One that is remembered would go on after the proxy was mended.
        add_never_cache_headers(response)
        response.set_cookie(MARK, "1", MARK_SECONDS, secure=True, httponly=True)
        return response


def _leads_to_https(request: HttpRequest, response: HttpResponse) -> bool:
    is_redirect = response.status_code == HTTPStatus.MOVED_PERMANENTLY
    there = response.headers.get("Location", "")
    return is_redirect and there.startswith("https:") and not request.is_secure()


def _told(request: HttpRequest) -> HttpResponse:
    fault = _fault(is_believed=settings.SECURE_PROXY_SSL_HEADER is not None)
    _log(fault)
    with translation.override(translation.get_language_from_request(request)):
        response = render(request, "400.html", {"fault": fault}, status=400)
    add_never_cache_headers(response)
    return response


def _fault(*, is_believed: bool) -> str:
    if is_believed:
        return (
            f"Your proxy encrypts, and does not send “{HEADER}: https”. Set it up so"
            " that it does; otherwise each page leads to itself for ever."
        )
    return (
        f"TRUSTED_PROXY_COUNT is 0, so that {HEADER} is not believed. Set it to the"
        " number of your proxies; otherwise each page leads to itself for ever."
    )


@cache
def _log(fault: str) -> None:
    """Say it once: each visitor would say it again."""
    logger.error("%s", fault)
