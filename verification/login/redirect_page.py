"""Pages that lead on to another host.

Browsers hold a form to `form-action` over all redirects that follow it. Where those
lead is not ours to say, but a page of ours may lead anywhere.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from authconfig.models import AuthenticationSettings


def page_to(request: HttpRequest, name: str, address: str, words: str) -> HttpResponse:
    context = {"name": name, "address": address, "words": words}
    return render(request, "lead_on.html", context)


def page_to_provider(
    request: HttpRequest, rules: AuthenticationSettings, address: str
) -> HttpResponse:
    words = _("You log in there, and come back here by yourself.")
    return page_to(request, rules.oauth2_provider_name, address, words)
