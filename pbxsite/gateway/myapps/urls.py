"""The pages of a client's login in a browser."""

from __future__ import annotations

from django.urls import path

from pbxsite.gateway.myapps import pages

app_name = "myapps"
urlpatterns = [
    path("PBX0/APPCLIENT/login/done/", pages.back, name="back"),
    path("PBX0/APPCLIENT/login/<uuid:public_id>/", pages.confirm, name="confirm"),
]
