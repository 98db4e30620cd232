"""A password that the site makes, to be told to the user: shown once, kept nowhere."""

from __future__ import annotations

import secrets

from allauth.core.exceptions import ReauthenticationRequired
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from authconfig.choices import Event, Method
from authconfig.models import current_rules
from authconfig.policy import uses
from authconfig.users import audit, kept_passwords
from authconfig.users.audit import origin_of
from authconfig.users.changes import end_sessions
from authconfig.users.models import PbxUser
from authconfig.users.passwords import PASSWORD_FIELDS
from verification.sessions.reauthentication import is_recently_authenticated

GENERATE = "users_pbxuser_generate"
USER_PAGE = "admin:users_pbxuser_change"
SHOW = "admin/users/pbxuser/generated_password.html"
# Without what is easily taken for something else, by eye or by ear.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
GROUP_SIZE, GROUPS = 5, 4


class GeneratedPasswordMixin:
    admin_site: admin.AdminSite

    def get_urls(self) -> list[URLPattern]:
        view = require_http_methods(["GET", "HEAD", "POST"])(self.generate_view)
        route, guarded = "<int:pk>/generate/", self.admin_site.admin_view(view)
        urls: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        return [path(route, guarded, name=GENERATE), *urls]

    def generate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = get_object_or_404(PbxUser, pk=pk)
        if not self.has_change_permission(request, user):  # type: ignore[attr-defined]
            raise PermissionDenied
        if not uses(current_rules(), Method.PASSWORD):
            raise Http404
        if user == request.user:
            # It would end the session that shows it.
            messages.info(request, _("You change your own password here."))
            return redirect("verification:password")
        if not is_recently_authenticated(request):
            raise ReauthenticationRequired
        if request.method != "POST":
            return self._ask_first(request, user)
        return self._show_once(request, user)

    def _ask_first(self, request: HttpRequest, user: PbxUser) -> HttpResponse:
        title = _("Make a new PBX password for %(user)s?") % {"user": user.name}
        consequence = _(
            "It is shown once, for you to tell the user. The present one ends at once,"
            " and with it all sessions of the user."
        )
        context = self.admin_site.each_context(request) | {
            "title": title,
            "opts": PbxUser._meta,
            "rows": [consequence],
            "way": _("Make the password"),
            "back_url": reverse(USER_PAGE, args=[user.pk]),
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)

    def _show_once(self, request: HttpRequest, user: PbxUser) -> HttpResponse:
        password = _made(current_rules().password_min_length)
        if not _set(request, user, password):
            text = _("Somebody else changed this user's password meanwhile.")
            messages.error(request, text)
            return redirect(USER_PAGE, user.pk)
        context = self.admin_site.each_context(request) | {
            "title": _("The new password of %(user)s") % {"user": user.name},
            "opts": PbxUser._meta,
            "password": password,
            "back_url": reverse(USER_PAGE, args=[user.pk]),
        }
        return TemplateResponse(request, SHOW, context)


def _made(shortest: int) -> str:
    groups = max(GROUPS, -(-(shortest + 1) // (GROUP_SIZE + 1)))
    return "-".join(
        "".join(secrets.choice(LETTERS) for _letter in range(GROUP_SIZE))
        for _group in range(groups)
    )


def _set(request: HttpRequest, user: PbxUser, password: str) -> bool:
    before = user.password
    # A transaction would keep its connection while the hash waits for its turn.
    user.set_password(password)
    with transaction.atomic():
        present = PbxUser.objects.filter(pk=user.pk, password=before)
        if not present.update(
            **{name: getattr(user, name) for name in PASSWORD_FIELDS}
        ):
            return False
        kept_passwords.keep(user, password)
        end_sessions([user])
        audit.record(
            Event.PASSWORD_CHANGED,
            user=user,
            actor=request.user,
            origin=origin_of(request),
            detail="generated",
        )
    return True
