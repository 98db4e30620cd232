"""The failed logins on a user's page, and the page that unlocks the user."""

from __future__ import annotations

from allauth.core.exceptions import ReauthenticationRequired
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.decorators import display

from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from pbxsite.administration.cells import LINK, moment
from pbxsite.administration.users.identities import USER_PAGE
from verification.sessions import tries
from verification.sessions.models import FailureCount
from verification.sessions.reauthentication import is_recently_authenticated

UNLOCK = "users_pbxuser_unlock"


class UnlockingMixin:
    admin_site: admin.AdminSite

    def get_urls(self) -> list[URLPattern]:
        view = require_http_methods(["GET", "HEAD", "POST"])(self.unlock_view)
        own = path("<int:pk>/unlock/", self.admin_site.admin_view(view), name=UNLOCK)
        urls: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        return [own, *urls]

    @display(description=_("Failed logins"))
    def failed_logins(self, user: PbxUser) -> SafeString | str:
        counts = list(user.failure_counts.order_by("guessed", "source"))
        if not counts:
            return gettext("None since the last success.")
        rows = format_html_join("", "<p>{}</p>", ((_line(count),) for count in counts))
        url = reverse(f"admin:{UNLOCK}", args=[user.pk])
        return rows + format_html(LINK, "", url, gettext("Unlock"))

    def unlock_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = get_object_or_404(PbxUser, pk=pk)
        if not self.has_change_permission(request, user):  # type: ignore[attr-defined]
            raise PermissionDenied
        if not is_recently_authenticated(request):
            raise ReauthenticationRequired
        if request.method != "POST":
            return self._question_of_unlocking(request, user)
        assert isinstance(request.user, PbxUser)
        tries.unlock(user, actor=request.user, origin=origin_of(request))
        messages.success(request, gettext("The user was unlocked."))
        return redirect(USER_PAGE, user.pk)

    def _question_of_unlocking(
        self, request: HttpRequest, user: PbxUser
    ) -> HttpResponse:
        title = gettext("Unlock %(user)s?") % {"user": user.name}
        sentence = gettext(
            "All failed logins are forgotten, and waits end at once. Whoever guessed"
            " may begin again: if it was not the user, change the password first."
        )
        context = self.admin_site.each_context(request) | {
            "title": title,
            "yes": gettext("Unlock"),
            "opts": PbxUser._meta,
            "rows": [*map(_line, user.failure_counts.all()), sentence],
            "back_url": reverse(USER_PAGE, args=[user.pk]),
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)


def _line(count: FailureCount) -> SafeString:
    words = gettext("%(what)s: %(number)d in a row %(source)s, the last one") % {
        "what": count.get_guessed_display(),
        "number": count.in_row,
        "source": count.get_source_display(),
    }
    return format_html("{} {}", words, moment(count.last_at))
