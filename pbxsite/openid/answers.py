"""Leading a browser back to the client."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from pbxsite.onward import page_to
from pbxsite.openid.marks import MARK


def answer(
    request: HttpRequest, name: str, redirect_uri: str, **values: str
) -> HttpResponse:
    """Send the browser to the client `name`, with who answers (RFC 9207)."""
    known = {key: value for key, value in values.items() if value}
    query = urlencode(known | {"iss": settings.SITE_URL})
    separator = "&" if urlsplit(redirect_uri).query else "?"
    return lead_on(request, name, f"{redirect_uri}{separator}{query}")


def lead_on(request: HttpRequest, name: str, address: str) -> HttpResponse:
    """Browsers hold a form to `form-action` over every redirect that follows it.

    So where a form of ours may have come before, a page leads on, and no redirect.
    """
    if request.method == "POST" or MARK in request.GET:
        return page_to(request, name, address, _("This page leads on by itself."))
    # Django's own redirect takes no scheme of an app.
    return HttpResponse(status=302, headers={"Location": address})
