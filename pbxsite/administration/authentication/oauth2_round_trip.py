"""Log in there: Test OAuth2 goes to the provider and back with the page's values."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from allauth.core import ratelimit
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_POST

from authconfig.oauth2 import discovery
from authconfig.oauth2.adapter import TRIAL
from authconfig.oauth2.faults import ProviderError
from authconfig.oauth2.provider import address_to_ask
from authconfig.settings_form import SettingsForm
from pbxsite.administration.authentication import cards
from pbxsite.administration.authentication.method_trials import round_trip_faults
from pbxsite.administration.authentication.posted_form import filled_form
from verification.login.oauth2_trial import (
    KEPT_KEY,
    connect,
    failed,
    keep,
    may_try,
    page,
)
from verification.login.redirect_page import page_to_provider


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Lead to the provider, with the values on the screen or the stored ones."""
    if not may_try(request):
        raise PermissionDenied
    if limited := ratelimit.consume_or_429(request, action="login"):
        return limited  # type: ignore[no-any-return]
    form = _form(request)
    if faults := _faults(form):
        return page(request, faults=faults)
    rules = form.new_rules()
    keep(request, rules)
    try:
        discovery.renew(rules.oauth2_well_known_url)
        address = address_to_ask(request, TRIAL)
    except ProviderError as error:
        return failed(request, error)
    state = parse_qs(urlsplit(address).query)["state"][0]
    request.session[KEPT_KEY] |= {"state": state}
    return page_to_provider(request, rules, address)


def _form(request: HttpRequest) -> SettingsForm:
    """Fill the form; without scripts a page sends no values: the stored ones count."""
    posted = request.POST if "oauth2_well_known_url" in request.POST else None
    return filled_form(request, posted)


def _faults(form: SettingsForm) -> dict[str, list[str]]:
    found = round_trip_faults(form)
    return {str(cards.name_of(key)): words for key, words in found.items()}


urlpatterns = [
    path("admin/oauth2/test/", admin.site.admin_view(start), name="oauth2_round_trip"),
    path(
        "admin/oauth2/test/connect/",
        admin.site.admin_view(connect),
        name="oauth2_round_trip_connect",
    ),
]
