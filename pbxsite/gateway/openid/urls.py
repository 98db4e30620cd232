"""The provider's addresses; the configuration's is given by the standard."""

from __future__ import annotations

from django.urls import path

from pbxsite.gateway.openid import views
from pbxsite.gateway.openid.endpoints import configuration, introspection, tokens

app_name = "openid"
urlpatterns = [
    path(
        ".well-known/openid-configuration",
        configuration.configuration,
        name="configuration",
    ),
    path("openid/keys", configuration.jwks, name="jwks"),
    path("openid/authorize", views.authorize, name="authorize"),
    path("openid/consent", views.consent, name="consent"),
    path("openid/token", tokens.token, name="token"),
    path("openid/userinfo", tokens.userinfo, name="userinfo"),
    path("openid/introspect", introspection.introspect, name="introspect"),
    path("openid/revoke", tokens.revoke, name="revoke"),
    path("openid/logout", views.EndSessionView.as_view(), name="end_session"),
]
