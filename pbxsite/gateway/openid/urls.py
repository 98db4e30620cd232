"""The provider's addresses; the configuration's is given by the standard."""

from __future__ import annotations

from django.urls import path

from pbxsite.gateway.openid import endpoints, views

app_name = "openid"
urlpatterns = [
    path(
        ".well-known/openid-configuration",
        endpoints.configuration,
        name="configuration",
    ),
    path("openid/keys", endpoints.jwks, name="jwks"),
    path("openid/authorize", views.authorize, name="authorize"),
    path("openid/consent", views.consent, name="consent"),
    path("openid/token", endpoints.token, name="token"),
    path("openid/userinfo", endpoints.userinfo, name="userinfo"),
    path("openid/revoke", endpoints.revoke, name="revoke"),
    path("openid/logout", views.EndSessionView.as_view(), name="end_session"),
]
