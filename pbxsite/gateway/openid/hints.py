"""What a client's request hints at: the user's language, and who is about to log in.

Both are wishes (OpenID Connect Core 1.0, 3.1.2.1): what is not known is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.translation import get_supported_language_variant

View = Callable[..., HttpResponseBase]
# The login that follows is in the language as well, and its waiting page.
KEPT_SECONDS = 3600
LONGEST_NAME = 254


def login_hint(request: HttpRequest) -> dict[str, str]:
    """Return the login page's word for it, if the client says who would log in."""
    hint = request.GET.get("login_hint", "")
    return {"login_hint": hint} if 0 < len(hint) <= LONGEST_NAME else {}


def in_wanted_language(view: View) -> View:
    @wraps(view)
    def speaking(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        language = _first_spoken(request.GET.get("ui_locales", ""))
        if not language:
            return view(request, *args, **kwargs)
        with translation.override(language):
            response = view(request, *args, **kwargs)
            # A page that is rendered later would be so in the browser's language.
            if render := getattr(response, "render", None):
                render()
        response["Content-Language"] = language
        _keep(response, language)
        return response

    return speaking


def _first_spoken(ui_locales: str) -> str:
    for tag in ui_locales.split()[:10]:
        try:
            return get_supported_language_variant(tag)
        except LookupError:
            continue
    return ""


def _keep(response: HttpResponseBase, language: str) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=KEPT_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
