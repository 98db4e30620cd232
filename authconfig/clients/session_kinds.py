"""Which kind a session is of: myApps or myPBX."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from authconfig.clients.choices import Kind

View = Callable[..., HttpResponse]
SESSION_KEY = "kind"
# When the login was completed, in seconds since 1970.
BEGAN_KEY = "began_at"


def session_kind(request: HttpRequest) -> Kind | None:
    if not request.user.is_authenticated:
        return None
    return Kind(request.session.get(SESSION_KEY, Kind.MYPBX))


def is_myapps(request: HttpRequest) -> bool:
    return session_kind(request) is Kind.MYAPPS


def myapps_required(view: View) -> View:
    """Refuse a myPBX session: it never passed a second factor."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_myapps(request):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return checked
