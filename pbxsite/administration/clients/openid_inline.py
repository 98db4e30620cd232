"""The part of OpenID Connect on a client application's page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import StackedInline
from unfold.decorators import display

from authconfig.clients.models import ClientApplication
from pbxsite.administration.cells import LINK, moment
from pbxsite.administration.clients.forms import ENTERED, OpenIdForm
from pbxsite.administration.clients.secret_page import SECRET
from pbxsite.gateway.openid.back_channel import visits
from pbxsite.gateway.openid.clients import lacking_pkce
from pbxsite.gateway.openid.models import OpenIdClient


class OpenIdInline(StackedInline):
    model = OpenIdClient
    form = OpenIdForm
    verbose_name = verbose_name_plural = "OpenID Connect"
    if hasattr(StackedInline, "show_title"):
        show_title = False
    else:  # unfold 0.91
        hide_title = True
    can_delete = False
    max_num = 1
    readonly_fields = ("lacks_pkce", "untold", "configuration", "identifier", "secret")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*ENTERED, *_troubles(obj), *self.readonly_fields[2:])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("clients.change_clientapplication")

    has_add_permission = has_change_permission

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("clients.view_clientapplication")

    @display(description=_("Refused of late"))
    def lacks_pkce(self, openid: OpenIdClient) -> SafeString:
        words = gettext(
            "{}: a request without PKCE. Switch PKCE on in the client; if it cannot do"
            " PKCE, tick “without PKCE” here."
        )
        return format_html(words, moment(openid.refused_without_pkce_at))

    @display(description=_("Not told yet"))
    def untold(self, openid: OpenIdClient) -> str:
        waiting = visits.waiting_at(openid.client_id).exclude(fault="")
        words = gettext("Log-outs that wait for the client: %(count)d (%(fault)s)")
        last = waiting.order_by("-tries").first()
        return words % {"count": waiting.count(), "fault": last.fault if last else ""}

    @display(description=_("OpenID well-known configuration URL"))
    def configuration(self, openid: OpenIdClient) -> SafeString:
        address = f"{settings.SITE_URL}{reverse('openid:configuration')}"
        return format_html("<code>{}</code>", address)

    @display(description=_("Client ID"))
    def identifier(self, openid: OpenIdClient) -> SafeString | str:
        if not openid.pk:
            return gettext("Shown once the client is saved.")
        return format_html('<code id="client-id">{}</code>', openid.client_id)

    @display(description=_("Client secret"))
    def secret(self, openid: OpenIdClient) -> SafeString | str:
        if not openid.pk:
            return gettext("Made once the client is saved.")
        if openid.is_public:
            return gettext("None: a public client.")
        return format_html(
            LINK,
            _made(openid),
            reverse(f"admin:{SECRET}", args=[openid.application_id]),
            gettext("Make a new secret"),
        )


def _troubles(application: ClientApplication | None) -> Iterator[str]:
    """Name the fields that stand on the page while there is something to tell."""
    openid = OpenIdClient.objects.filter(application=application).first()
    if openid is None:
        return
    if lacking_pkce().filter(pk=openid.pk).exists():
        yield "lacks_pkce"
    if visits.waiting_at(openid.client_id).exclude(fault="").exists():
        yield "untold"


def _made(openid: OpenIdClient) -> SafeString | str:
    if openid.secret_made_at is None:
        return gettext("There is none yet.")
    return format_html(gettext("Made {}."), moment(openid.secret_made_at))
