"""The site's addresses."""

from __future__ import annotations

from allauth.account.views import account_inactive, logout, reauthenticate
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView

from authconfig.clients.choices import Kind
from authconfig.clients.destinations import ACCOUNT
from authconfig.clients.session_kinds import myapps_required
from authconfig.oauth2.adapter import CALLBACK
from pbxsite import appearance, health
from pbxsite.administration.authentication import oauth2_round_trip
from pbxsite.administration.authentication.smtp_login import authorizing
from pbxsite.administration.queue import page as queue_page
from pbxsite.embedded import mailbox_pages
from pbxsite.gateway.forward import handover
from pbxsite.metrics.views import metrics
from verification.login import back_channel, oauth2
from verification.login.factors import views as factors
from verification.login.page import LoginAgainView, LoginView
from verification.login.rescue import rescue

handler400 = "pbxsite.errors.bad_request"
handler429 = "pbxsite.errors.too_many_requests"
handler500 = "pbxsite.errors.failed"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name=ACCOUNT)),
    path("login/", LoginView.as_view(), name="account_login"),
    path(
        "mypbx/login/",
        LoginView.as_view(kind=Kind.MYPBX),
        name="account_login_mypbx",
    ),
    path("login/again/", LoginAgainView.as_view(), name="account_login_again"),
    path(
        "mypbx/login/again/",
        LoginAgainView.as_view(kind=Kind.MYPBX),
        name="account_login_mypbx_again",
    ),
    path("login/oauth2/", oauth2.start, name="oauth2_start"),
    path("login/oauth2/callback/", oauth2.callback, name=CALLBACK),
    path("login/oauth2/logout/", back_channel.log_out, name=back_channel.NAME),
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
    *oauth2_round_trip.urlpatterns,
    *authorizing.urlpatterns,
    *queue_page.urlpatterns,
    *handover.urlpatterns,
    path("", include("pbxsite.gateway.openid.urls")),
    path("", include("pbxsite.gateway.myapps.urls")),
    path("", include("pbxsite.scim.urls")),
    path("preferences/", appearance.choose, name="preferences"),
    path("admin/", admin.site.urls),
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("metrics", metrics),
    *mailbox_pages.urlpatterns,
]
