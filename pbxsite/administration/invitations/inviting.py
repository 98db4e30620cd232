"""The action, the pages and the field by which users are invited."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.core.exceptions import ReauthenticationRequired
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe
from unfold.decorators import action, display

from authconfig.users.models import PbxUser
from pbxsite.administration.cells import LINK, moment
from pbxsite.administration.confirmation import confirmed
from pbxsite.administration.invitations import runs
from verification.password_links import invitations
from verification.password_links.choices import LinkEnding, Purpose
from verification.password_links.models import InvitationRun, PasswordLink
from verification.sessions.reauthentication import (
    is_recently_authenticated,
    reauthentication_required,
)

INVITE, INVITE_MANY = "users_pbxuser_invite", "users_pbxuser_invite_many"
USER_PAGE = "admin:users_pbxuser_change"
RUN_ROUTE = "invitations/<uuid:public_id>/"
ASKING = ["GET", "HEAD", "POST"]


@action(description=_("Invite to set a password"), permissions=["change"])
@confirmed(_("Invite these users to set a PBX password?"), way=_("Invite"))
@method_decorator(reauthentication_required)  # type: ignore[arg-type]  # base class
def invite_selected(
    shown: Any, request: HttpRequest, queryset: QuerySet[PbxUser]
) -> HttpResponse:
    return runs.start(request, runs.chosen(shown, request, queryset))


class InvitingMixin:
    admin_site: admin.AdminSite

    def get_urls(self) -> list[URLPattern]:
        asking = require_http_methods(ASKING)
        views = (
            ("<int:pk>/invite/", asking(self.invite_view), INVITE),
            ("invite/", asking(self.invite_many_view), INVITE_MANY),
            (RUN_ROUTE, require_safe(self.run_view), runs.RUN),
            (f"{RUN_ROUTE}live/", require_safe(self.live_view), f"{runs.RUN}_live"),
        )
        own = [
            path(route, self.admin_site.admin_view(view), name=name)
            for route, view, name in views
        ]
        urls: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        return [*own, *urls]

    def in_words(self, user: PbxUser) -> str:
        """Return what the question before an action shows of the user."""
        return f"{user.name} · {user.email or gettext('No e-mail address')}"

    @display(description=_("Invitation"))
    def invitation(self, user: PbxUser) -> SafeString | str:
        if not invitations.are_possible():
            return gettext("The PBX password is not in use, or no e-mail can be sent.")
        _invited, left_out = invitations.choose([user])
        if left_out:
            return gettext("Not possible: %(why)s") % {"why": left_out[0][1].label}
        url = reverse(f"admin:{INVITE}", args=[user.pk])
        return format_html(LINK, _state_of(user), url, gettext("Invite by e-mail"))

    def invite_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = get_object_or_404(PbxUser, pk=pk)
        _demand(self.has_change_permission(request, user))  # type: ignore[attr-defined]
        title = gettext("Invite %(user)s to set a PBX password?") % {"user": user.name}
        back = reverse(USER_PAGE, args=[pk])
        return self._ask(request, PbxUser.objects.filter(pk=pk), title, back)

    def invite_many_view(self, request: HttpRequest) -> HttpResponse:
        """Invite all who have no PBX password yet, as after an import."""
        _demand(self.has_change_permission(request))  # type: ignore[attr-defined]
        title = gettext("Invite all active users who have no PBX password?")
        users = invitations.without_password()
        return self._ask(request, users, title, reverse(runs.LIST))

    def _ask(
        self, request: HttpRequest, users: QuerySet[PbxUser], title: str, back: str
    ) -> HttpResponse:
        if not is_recently_authenticated(request):
            raise ReauthenticationRequired
        found = runs.chosen(self, request, users)
        if request.method == "POST":
            return runs.start(request, found)
        return runs.question(request, found, title=title, back_url=back)

    def run_view(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        context = self._run(request, public_id) | {"title": gettext("Invitations")}
        shared = self.admin_site.each_context(request) | {"opts": PbxUser._meta}
        return TemplateResponse(request, runs.PAGE, shared | context)

    def live_view(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        """Send the changing part alone, which the page's script asks for repeatedly."""
        return TemplateResponse(request, runs.LIVE, self._run(request, public_id))

    def _run(self, request: HttpRequest, public_id: UUID) -> dict[str, Any]:
        _demand(self.has_view_permission(request))  # type: ignore[attr-defined]
        run = get_object_or_404(InvitationRun, public_id=public_id)
        return runs.page_context(run)


def _demand(permission: bool) -> None:  # noqa: FBT001
    if not permission:
        raise PermissionDenied


def _state_of(user: PbxUser) -> str | SafeString:
    """Say what became of the newest invitation."""
    links = PasswordLink.objects.filter(user=user, purpose=Purpose.INVITATION)
    link = links.order_by("-made_at", "-pk").first()
    if link is None:
        return gettext("Never invited.")
    if link.ending == LinkEnding.USED:
        return _at(gettext("The last one was used:"), link.over_at)
    if link.over_at is not None:
        return _at(gettext("The last one ended:"), link.over_at)
    if link.expires_at is None:
        return gettext("The e-mail is being written.")
    return _at(gettext("The link works until"), link.expires_at)


def _at(words: str, at: Any) -> SafeString:
    return format_html("{} {}.", words, moment(at))
