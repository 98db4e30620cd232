"""The page of the users by SCIM: how it stands, what came last, and the runs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authconfig.sync.choices import Source
from authconfig.sync.models import ScimKey, ScimRequest
from authconfig.sync.scim.carrying import is_confirmed
from pbxsite.administration.directory_runs.state import scim_state
from pbxsite.administration.directory_runs.views import (
    begin_asked,
    last_runs,
    page,
)
from pbxsite.scim.views import base_url
from verification.sessions.reauthentication import reauthentication_required

LAST_REQUESTS = 20


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    context = {
        "title": _("Users by SCIM"),
        "address": base_url(),
        "key": ScimKey.current(),
        "is_confirmed": is_confirmed(),
        "state": scim_state(),
        "last": last_runs(Source.SCIM),
        "requests": ScimRequest.objects.order_by("-pk")[:LAST_REQUESTS],
    }
    return page(request, "scim", context)


@require_http_methods(["GET", "POST"])
@reauthentication_required
def begin(request: HttpRequest) -> HttpResponse:
    return begin_asked(request, Source.SCIM)


# Below the page of the settings: address, view and name.
PARTS = (
    ("users-by-scim/", overview, "scim"),
    ("users-by-scim/begin/", begin, "scim_begin"),
)
