"""allauth imports the URLs of each provider; ours are in pbxsite/urls.py."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
