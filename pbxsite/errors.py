"""The pages for requests that cannot be served: too many, not fitting, or outages."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import get_language
from django.views.csrf import csrf_failure
from django.views.decorators.cache import never_cache
from django.views.defaults import server_error

from authconfig.users.passwords import NoMemoryToHashError, NotHashedError
from verification.proxies import AddressUnknownError

logger = logging.getLogger(__name__)
# The button of OAuth2 stands on the first of them.
LOGIN_PAGES = (
    *("account_login", "account_login_mypbx"),
    *("account_login_again", "account_login_mypbx_again"),
)
# PostgreSQL's code, read_only_sql_transaction.
READ_ONLY = "25006"
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
    if isinstance(exception, SessionInterrupted) and _is_outage_behind(exception):
        return _unavailable()
    fault = str(exception) if isinstance(exception, AddressUnknownError) else ""
    return render(request, "400.html", {"fault": fault}, status=400)


@never_cache
def page_too_old(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Lead on who logged in meanwhile in another tab, which made this form too old."""
    if request.resolver_match and _keeps_posted(request, request.resolver_match.func):
        return redirect(request.path)
    page = _login_page(request)
    if not page or not request.user.is_authenticated:
        return csrf_failure(request, reason)
    wanted = request.POST.get(REDIRECT_FIELD_NAME, "")
    # That page knows whether this session suffices, and where to go from there.
    return redirect(reverse(page, query={REDIRECT_FIELD_NAME: wanted}))


class LoginRequired(LoginRequiredMiddleware):
    """Leads to the login, and keeps what was posted to a view that wants it kept."""

    def handle_no_permission(
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseRedirect:
        _keeps_posted(request, view_func)
        return super().handle_no_permission(request, view_func)


def _keeps_posted(request: HttpRequest, view: Callable[..., Any]) -> bool:
    keep = getattr(view, "keep_posted", None)
    return request.method == "POST" and keep is not None and keep(request)


def _login_page(request: HttpRequest) -> str:
    """Return the login page that the form of this request stands on, if it does."""
    name = request.resolver_match.view_name if request.resolver_match else ""
    if name == "oauth2_start":
        return LOGIN_PAGES[0]
    return name if name in LOGIN_PAGES else ""


@never_cache
def failed(request: HttpRequest) -> HttpResponse:
    """Tell an outage of the database, which ends, from a fault of this site."""
    # Django calls this while it handles what was raised.
    error = sys.exc_info()[1]
    if _is_outage(error):
        return _unavailable()
    return server_error(request)


def _is_outage_behind(error: BaseException | None) -> bool:
    """Django takes each session that cannot be written for one that was deleted."""
    while error is not None:
        if _is_outage(error):
            return True
        error = error.__context__
    return False


def _is_outage(error: BaseException | None) -> bool:
    return isinstance(error, (OperationalError, InterfaceError)) or is_read_only(error)


def is_read_only(error: BaseException | None) -> bool:
    """Say whether PostgreSQL takes no writes for now, as a standby takes none."""
    code = getattr(getattr(error, "__cause__", None), "sqlstate", None)
    return isinstance(error, InternalError) and code == READ_ONLY


def _unavailable() -> HttpResponse:
    """Say when to come back, on a page that needs no database."""
    # Without the request: its context processors would ask for the user.
    response = HttpResponse(render_to_string("503.html"), status=503)
    response["Retry-After"] = str(RETRY_AFTER_OUTAGE_SECONDS)
    return response


class TooManyLogins(MiddlewareMixin):
    """Middleware: tell those whose password nobody could look at."""

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        if not isinstance(exception, NotHashedError):
            return None
        response = _not_hashed(exception)
        add_never_cache_headers(response)
        return response


def _not_hashed(error: NotHashedError) -> HttpResponse:
    if not isinstance(error, NoMemoryToHashError):
        return crowded()
    logger.error("No memory left for hashing a password: nobody can log in with one")
    return _unavailable()


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
