"""The pages that make and revoke the key with which voicemail is posted."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from authconfig.models import AuthenticationSettings
from authconfig.sections import SETTINGS_PAGE
from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from verification.sessions.reauthentication import reauthentication_required
from verification.voicemail import keys

ASK = "admin/authconfig/authenticationsettings/voicemail_key_ask.html"
SHOW = "admin/authconfig/authenticationsettings/voicemail_key_show.html"
# The question names its key: a form that is sent twice does nothing the second time.
PRESENT = "present"


def address() -> str:
    return f"{settings.SITE_URL}{reverse('verification:voicemail')}"


@never_cache
@reauthentication_required
def make(request: HttpRequest) -> HttpResponse:
    """Ask, then show the new key: on this one page, and never again."""
    if request.method != "POST":
        return _ask(request, title=_make_title())
    if not _is_about_the_present_key(request):
        return _changed_meanwhile(request)
    key = keys.make(**_by(request))
    shown = {"title": _("The new voicemail key"), "key": key, "address": address()}
    return TemplateResponse(request, SHOW, _context(request) | shown)


@never_cache
@reauthentication_required
def revoke(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        title = _("Revoke the voicemail key?")
        return _ask(request, title=title, revokes=True)
    if not _is_about_the_present_key(request):
        return _changed_meanwhile(request)
    keys.revoke(**_by(request))
    messages.success(request, _("The voicemail key is revoked."))
    return redirect(SETTINGS_PAGE)


def _ask(request: HttpRequest, **more: Any) -> HttpResponse:
    asked = {"key": keys.current_key(), "present": _present()} | more
    return TemplateResponse(request, ASK, _context(request) | asked)


def _context(request: HttpRequest) -> dict[str, Any]:
    return admin.site.each_context(request) | {"opts": AuthenticationSettings._meta}


def _make_title() -> str:
    if keys.current_key():
        return _("Make a new voicemail key?")
    return _("Make a voicemail key?")


def _present() -> str:
    key = keys.current_key()
    return key.made_at.isoformat() if key else ""


def _is_about_the_present_key(request: HttpRequest) -> bool:
    return request.POST.get(PRESENT) == _present()


def _changed_meanwhile(request: HttpRequest) -> HttpResponse:
    messages.warning(
        request, _("The voicemail key was changed meanwhile. Nothing was done now.")
    )
    return redirect(SETTINGS_PAGE)


def _by(request: HttpRequest) -> dict[str, Any]:
    assert isinstance(request.user, PbxUser)
    origin = origin_of(request)
    return {"actor": request.user, "origin": origin}
