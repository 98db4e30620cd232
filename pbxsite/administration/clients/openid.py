"""A client application's page, with its redirect URIs and its secret."""

from __future__ import annotations

from typing import Any

from allauth.idp.oidc.models import Client as RegisteredClient
from allauth.idp.oidc.models import Token
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.admin import StackedInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from authconfig.clients.choices import AsksBy
from authconfig.clients.models import ClientApplication
from pbxsite.administration.clients.applications import (
    ClientApplicationAdmin,
    record_change,
)
from pbxsite.administration.lists import LINK, moment
from pbxsite.gateway.openid.clients import forget, keep_in_step, new_secret
from pbxsite.gateway.openid.models import OpenIdClient
from verification.sessions.reauthentication import reauthentication_required

CHANGE = "admin:clients_clientapplication_change"
SECRET = "clients_clientapplication_secret"  # noqa: S105


class OpenIdForm(forms.ModelForm):  # type: ignore[type-arg]  # in stubs alone
    """Keeps one address in each line, without what surrounds it."""

    class Meta:
        model = OpenIdClient
        fields = ("redirect_uris", "logout_uris", "is_public")
        widgets = {
            "redirect_uris": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
            "logout_uris": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        }

    def clean_redirect_uris(self) -> str:
        return _lines(self.cleaned_data["redirect_uris"])

    def clean_logout_uris(self) -> str:
        return _lines(self.cleaned_data["logout_uris"])


def _lines(text: str) -> str:
    return "\n".join(filter(None, map(str.strip, text.splitlines())))


class OpenIdInline(StackedInline):
    model = OpenIdClient
    form = OpenIdForm
    verbose_name = verbose_name_plural = "OpenID Connect"
    hide_title = True
    can_delete = False
    max_num = 1
    fields = (
        "redirect_uris",
        "logout_uris",
        "is_public",
        "configuration",
        "identifier",
        "secret",
    )
    readonly_fields = ("configuration", "identifier", "secret")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It is a part of the application."""
        return request.user.has_perm("clients.change_clientapplication")

    has_add_permission = has_change_permission

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("clients.view_clientapplication")

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


def _made(openid: OpenIdClient) -> SafeString | str:
    if openid.secret_made_at is None:
        return gettext("There is none yet.")
    return format_html(gettext("Made {}."), moment(openid.secret_made_at))


# allauth's rows follow from ours; edited by themselves they would not.
admin.site.unregister([RegisteredClient, Token])


@admin.register(ClientApplication)
class OpenIdApplicationAdmin(ClientApplicationAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = require_http_methods(["GET", "HEAD", "POST"])(self.secret_view)
        own = path("<int:pk>/secret/", self.admin_site.admin_view(view), name=SECRET)
        return [own, *super().get_urls()]

    def get_inlines(
        self, request: HttpRequest, obj: ClientApplication | None
    ) -> list[type[OpenIdInline]]:
        return [OpenIdInline] if obj and obj.asks(AsksBy.OPENID) else []

    def response_add(
        self, request: HttpRequest, obj: ClientApplication, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        response: HttpResponse = super().response_add(request, obj, *args, **kwargs)
        if not obj.asks(AsksBy.OPENID):
            return response
        text = gettext("Now enter the redirect URIs, save, and make the secret.")
        messages.info(request, text)
        return redirect(CHANGE, obj.pk)

    def save_model(
        self, request: HttpRequest, obj: ClientApplication, form: Any, change: Any
    ) -> None:
        super().save_model(request, obj, form, change)
        openid = OpenIdClient.objects.filter(application=obj.pk).first()
        if openid:
            openid.application = obj
            keep_in_step(openid)

    def save_formset(
        self, request: HttpRequest, form: Any, formset: Any, change: Any
    ) -> None:
        for openid in formset.save(commit=False):
            keep_in_step(openid)
            addresses = ", ".join(openid.redirect_uris.splitlines())
            record_change(request, openid.application, f"redirect URIs: {addresses}")

    def delete_model(self, request: HttpRequest, obj: ClientApplication) -> None:
        forget(obj)
        super().delete_model(request, obj)

    def secret_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        openid = OpenIdClient.objects.filter(application=pk, is_public=False).first()
        if openid is None:
            raise Http404
        if not self.has_change_permission(request, openid.application):
            raise PermissionDenied
        return _secret_page(request, self.admin_site, openid)


@reauthentication_required
def _secret_page(
    request: HttpRequest, site: admin.AdminSite, openid: OpenIdClient
) -> HttpResponse:
    context = site.each_context(request) | {
        "opts": ClientApplication._meta,
        "openid": openid,
        "back_url": reverse(CHANGE, args=[openid.application_id]),
    }
    if request.method != "POST":
        words = gettext("Make a new secret for %(name)s?")
        context["title"] = words % {"name": openid.application.name}
        context["rows"] = [_consequence(openid)]
        return TemplateResponse(request, "admin/confirm_action.html", context)
    context |= {"title": gettext("The new secret"), "secret": new_secret(openid)}
    record_change(request, openid.application, "a new secret")
    page = "admin/clients/clientapplication/secret.html"
    return TemplateResponse(request, page, context)


def _consequence(openid: OpenIdClient) -> str:
    if openid.secret_made_at is None:
        return gettext("It is shown once: have the client's settings at hand.")
    return gettext(
        "It is shown once. The old one stops working at once: until the client has the"
        " new one, nobody can log in to it."
    )
