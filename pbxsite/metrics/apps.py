"""The figures for Prometheus as an application, with tables of its own."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MetricsConfig(AppConfig):
    name = "pbxsite.metrics"
    label = "metrics"
    verbose_name = _("Metrics")
