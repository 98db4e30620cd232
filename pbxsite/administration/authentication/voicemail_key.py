"""The pages that make and revoke the key with which voicemail is posted."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from authconfig.sections import SETTINGS_PAGE
from pbxsite.administration.bearer_key_pages import BearerKeyPages, Words
from verification.sessions.reauthentication import reauthentication_required
from verification.voicemail import keys

WORDS = Words(
    make=_("Make a voicemail key?"),
    make_new=_("Make a new voicemail key?"),
    revoke=_("Revoke the voicemail key?"),
    made=_("The new voicemail key"),
    first=_(
        "Whoever has the key can send recordings to every user in the name of this"
        " site. It is shown once; enter it at the PBX right away."
    ),
    ends=_(
        "The present key stops working at once: the PBX cannot post voicemail until"
        " you have entered the new one there."
    ),
    without=_(
        "Nobody can post voicemail any more until there is a new key. Voicemails that"
        " are in the queue already still go out."
    ),
    revoked=_("The voicemail key is revoked."),
    changed_meanwhile=_(
        "The voicemail key was changed meanwhile. Nothing was done now."
    ),
)


def address() -> str:
    return f"{settings.SITE_URL}{reverse('verification:voicemail')}"


PAGES = BearerKeyPages(
    keys,
    keys.current_key,
    WORDS,
    back=SETTINGS_PAGE,
    shown="admin/authconfig/authenticationsettings/voicemail_key_show.html",
    address=address,
)


@never_cache
@reauthentication_required
def make(request: HttpRequest) -> HttpResponse:
    return PAGES.make(request)


@never_cache
@reauthentication_required
def revoke(request: HttpRequest) -> HttpResponse:
    return PAGES.revoke(request)
