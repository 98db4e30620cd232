"""The OAuth2 accounts on a user's page, and the page that disconnects one."""

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

from authconfig.choices import Method
from authconfig.clients.choices import Kind
from authconfig.lockout import is_last_connected, last_one, needs_identity
from authconfig.models import current_rules
from authconfig.oauth2 import identities
from authconfig.oauth2.models import ProviderIdentity
from authconfig.policy import methods_for
from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from pbxsite.administration.cells import LINK, moment
from verification.sessions.reauthentication import is_recently_authenticated

USER_PAGE = "admin:users_pbxuser_change"
DISCONNECT = "users_pbxuser_disconnect"


class IdentitiesMixin:
    """Shows the accounts read-only: a login connects one, nobody types one in."""

    admin_site: admin.AdminSite

    def get_urls(self) -> list[URLPattern]:
        view = require_http_methods(["GET", "HEAD", "POST"])(self.disconnect_view)
        own = path(
            "<int:user_pk>/oauth2/<int:pk>/disconnect/",
            self.admin_site.admin_view(view),
            name=DISCONNECT,
        )
        urls: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        return [own, *urls]

    @display(description=_("OAuth2 account"))
    def oauth2_accounts(self, user: PbxUser) -> SafeString | str:
        rows = [_line(identity) for identity in user.identities.order_by("pk")]
        if not rows:
            return gettext("None. The first login with OAuth2 connects one.")
        return format_html_join("", "<p>{}</p>", ((row,) for row in rows))

    def disconnect_view(
        self, request: HttpRequest, user_pk: int, pk: int
    ) -> HttpResponse:
        identity = get_object_or_404(
            ProviderIdentity.objects.select_related("user"), user=user_pk, pk=pk
        )
        if not self.has_change_permission(request, identity.user):  # type: ignore[attr-defined]
            raise PermissionDenied
        if not is_recently_authenticated(request):
            raise ReauthenticationRequired
        if request.method != "POST":
            return self._question(request, identity)
        return _disconnected(request, identity)

    def _question(
        self, request: HttpRequest, identity: ProviderIdentity
    ) -> HttpResponse:
        title = gettext("Disconnect this OAuth2 account from %(user)s?")
        context = self.admin_site.each_context(request) | {
            "title": title % {"user": identity.user.name},
            "yes": gettext("Disconnect"),
            "opts": PbxUser._meta,
            "rows": [str(identity), _consequence(identity.user)],
            "back_url": reverse(USER_PAGE, args=[identity.user.pk]),
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)


def _line(identity: ProviderIdentity) -> SafeString:
    url = reverse(f"admin:{DISCONNECT}", args=[identity.user_id, identity.pk])
    used = identity.last_used_at or identity.created_at
    text = format_html("{} ({} {})", str(identity), gettext("last used"), moment(used))
    return format_html(LINK, text, url, gettext("Disconnect"))


def _consequence(user: PbxUser) -> str:
    if user.is_staff or user.is_superuser:
        return gettext(
            "As an administrator, the user has to log in another way and connect an"
            " account under Account security. Sessions go on."
        )
    return gettext(
        "The next login with an account that the provider names like this user"
        " connects that one. Sessions go on."
    )


def _disconnected(request: HttpRequest, identity: ProviderIdentity) -> HttpResponse:
    if needs_identity(identity):
        messages.error(request, _refusal(identity))
    else:
        assert isinstance(request.user, PbxUser)
        origin = origin_of(request)
        identities.unbind(identity, actor=request.user, origin=origin)
        text = gettext("The OAuth2 account was disconnected.")
        messages.success(request, text)
    return redirect(USER_PAGE, identity.user.pk)


def _refusal(identity: ProviderIdentity) -> str:
    is_only_method = methods_for(current_rules(), Kind.MYAPPS) == (Method.OAUTH2,)
    if not (is_only_method and is_last_connected(identity)):
        return last_one()
    return gettext(
        "Only OAuth2 is allowed, and no other administrator has an account"
        " connected: nobody could administer the site any more."
    )
