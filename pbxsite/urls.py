"""The site's addresses."""

from __future__ import annotations

from allauth.account.views import account_inactive, logout, reauthenticate
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView

from authconfig.choices import Client
from authconfig.clients import myapps_required
from authconfig.destinations import ACCOUNT
from authconfig.oidc.provider import CALLBACK
from pbxsite import factors, health, mailbox, queue_page, roundtrip, social
from pbxsite.forward import hop
from pbxsite.metrics import metrics
from pbxsite.rescue import rescue
from verification.views import HoldingLoginView, LoginAgainView

handler429 = "pbxsite.errors.too_many_requests"
handler500 = "pbxsite.errors.failed"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name=ACCOUNT)),
    path("login/", HoldingLoginView.as_view(), name="account_login"),
    path(
        "mypbx/login/",
        HoldingLoginView.as_view(client=Client.MYPBX),
        name="account_login_mypbx",
    ),
    path("login/again/", LoginAgainView.as_view(), name="account_login_again"),
    path(
        "mypbx/login/again/",
        LoginAgainView.as_view(client=Client.MYPBX),
        name="account_login_mypbx_again",
    ),
    path("login/oauth2/", social.start, name="oauth2_start"),
    path("login/oauth2/callback/", social.callback, name=CALLBACK),
    path("logout/", logout, name="account_logout"),
    path("login/rescue/", rescue, name="rescue"),
    path("login/inactive/", never_cache(account_inactive), name="account_inactive"),
    path(
        "account/confirm/",
        never_cache(myapps_required(reauthenticate)),
        name="account_reauthenticate",
    ),
    *factors.urlpatterns,
    path("", include("verification.urls")),
    *roundtrip.urlpatterns,
    *queue_page.urlpatterns,
    *hop.urlpatterns,
    path("", include("pbxsite.openid.urls")),
    path("admin/", admin.site.urls),
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("metrics", metrics),
    *mailbox.urlpatterns,
]
