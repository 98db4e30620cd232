"""The page that makes a new secret of a client application and shows it once."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods
from unfold.admin import ModelAdmin

from authconfig.clients.models import ClientApplication
from pbxsite.administration.clients.recorded_changes import record_change
from pbxsite.gateway.openid.clients import new_secret
from pbxsite.gateway.openid.models import OpenIdClient
from verification.sessions.reauthentication import reauthentication_required

View = Callable[..., HttpResponse]
CHANGE = "admin:clients_clientapplication_change"
SECRET = "clients_clientapplication_secret"  # noqa: S105
ASK, SHOW = "admin/confirm_action.html", "admin/clients/clientapplication/secret.html"


def secret_path(applications: ModelAdmin) -> URLPattern:
    """Return the page's address, for those who may change the application."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        openid = OpenIdClient.objects.filter(application=pk, is_public=False).first()
        if openid is None:
            raise Http404
        if not applications.has_change_permission(request, openid.application):
            raise PermissionDenied
        return _secret_page(request, openid)

    guarded: View = applications.admin_site.admin_view(view)
    return path("<int:pk>/secret/", guarded, name=SECRET)


@reauthentication_required
def _secret_page(request: HttpRequest, openid: OpenIdClient) -> HttpResponse:
    application = openid.application
    context = admin.site.each_context(request) | {
        "opts": ClientApplication._meta,
        "openid": openid,
        "back_url": reverse(CHANGE, args=[application.pk]),
    }
    if request.method != "POST":
        words = gettext("Make a new secret for %(name)s?")
        context["title"] = words % {"name": application.name}
        context["yes"] = gettext("Make a new secret")
        context["rows"] = [_consequence(openid)]
        return TemplateResponse(request, ASK, context)
    context |= {"title": gettext("The new secret"), "secret": new_secret(openid)}
    record_change(request, application, "a new secret")
    return TemplateResponse(request, SHOW, context)


def _consequence(openid: OpenIdClient) -> str:
    if openid.secret_made_at is None:
        return gettext("It is shown once: have the client's settings at hand.")
    return gettext(
        "It is shown once. The old one stops working at once: until the client has the"
        " new one, nobody can log in to it."
    )
