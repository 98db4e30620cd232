"""The addresses of SCIM; what stands below them is the protocol's."""

from __future__ import annotations

from django.urls import path

from pbxsite.scim import views

app_name = "scim"
urlpatterns = [
    path("scim/v2/", views.serve, {"path": ""}, name="root"),
    path("scim/v2/<path:path>", views.serve, name="serve"),
]
