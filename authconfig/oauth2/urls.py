"""allauth imports the addresses of each provider; ours stand in pbxsite/urls.py."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
