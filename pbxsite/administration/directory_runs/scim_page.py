"""The page of the users by SCIM: how it stands, what came last, and the runs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from authconfig.sync.choices import Source
from authconfig.sync.models import ScimKey, ScimRequest
from authconfig.sync.scim import keys
from authconfig.sync.scim.carrying import is_confirmed
from pbxsite.administration.bearer_key_pages import BearerKeyPages, Words
from pbxsite.administration.directory_runs.state import SCIM_PAGE, scim_state
from pbxsite.administration.directory_runs.views import (
    begin_asked,
    last_runs,
    page,
)
from pbxsite.scim.views import base_url
from verification.sessions.reauthentication import reauthentication_required

LAST_REQUESTS = 20
WORDS = Words(
    make=gettext_lazy("Make a SCIM key?"),
    make_new=gettext_lazy("Make a new SCIM key?"),
    revoke=gettext_lazy("Revoke the SCIM key?"),
    made=gettext_lazy("The new SCIM key"),
    first=gettext_lazy(
        "Whoever has the key can add, change and deactivate users. It is shown once;"
        " enter it at the provider right away."
    ),
    ends=gettext_lazy(
        "The present key stops working at once: the provider cannot write users until"
        " you have entered the new one there. No user is changed by it."
    ),
    without=gettext_lazy(
        "The provider cannot write users any more until there is a new key: somebody"
        " who leaves the company stays active here. No user is changed by it."
    ),
    revoked=gettext_lazy("The SCIM key is revoked."),
    changed_meanwhile=gettext_lazy(
        "The SCIM key was changed meanwhile. Nothing was done now."
    ),
)
KEY_PAGES = BearerKeyPages(
    keys,
    ScimKey.current,
    WORDS,
    back=SCIM_PAGE,
    shown="admin/directory_runs/scim_key_shown.html",
    address=base_url,
)


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


@never_cache
@reauthentication_required
def make_key(request: HttpRequest) -> HttpResponse:
    return KEY_PAGES.make(request)


@never_cache
@reauthentication_required
def revoke_key(request: HttpRequest) -> HttpResponse:
    return KEY_PAGES.revoke(request)


# Below the page of the settings: address, view and name.
PARTS = (
    ("users-by-scim/", overview, "scim"),
    ("users-by-scim/begin/", begin, "scim_begin"),
    ("users-by-scim/key/make/", make_key, "scim_key_make"),
    ("users-by-scim/key/revoke/", revoke_key, "scim_key_revoke"),
)
