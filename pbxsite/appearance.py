"""What all pages share: the site's name, and their reader's language and scheme.

Both are kept by cookies of the browser.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

SCHEME_COOKIE = "pbx_scheme"
SCHEMES = ("light", "dark")


def site(request: HttpRequest) -> dict[str, str]:
    return {
        "site_name": settings.SITE_NAME,
        "contact_line": settings.CONTACT_LINE,
        "scheme": chosen_scheme(request),
    }


def chosen_scheme(request: HttpRequest) -> str:
    """Return "light" or "dark"; "" follows the device."""
    scheme: str = request.COOKIES.get(SCHEME_COOKIE, "")
    return scheme if scheme in SCHEMES else ""


@login_not_required
@never_cache
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Keep both, and lead back; scripts keep the scheme by themselves."""
    response = set_language(request)
    scheme = request.POST.get("scheme", "")
    if scheme in SCHEMES:
        response.set_cookie(
            SCHEME_COOKIE,
            scheme,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            samesite="Lax",
        )
    elif not scheme:
        response.delete_cookie(SCHEME_COOKIE)
    return response
