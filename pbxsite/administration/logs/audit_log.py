"""The admin's list of the audit log."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.timezone import make_aware
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.contrib.filters.forms import RangeDateForm
from unfold.decorators import display
from unfold.utils import parse_date_str

from authconfig.choices import Event
from authconfig.users import audit
from authconfig.users.audit import origin_of
from authconfig.users.models import AuditEvent
from authconfig.users.pseudonyms import in_words
from pbxsite.administration.cells import moment, page_of
from pbxsite.administration.lists import (
    AddressSearch,
    KindFilter,
    ReadOnlyAdmin,
    SelectFilter,
)
from pbxsite.administration.logs.csv_export import MOST_EVENTS, as_csv
from pbxsite.administration.logs.details import detail_in_words


class DaysForm(RangeDateForm):
    """Names both days; the theme's "To" is the word of an e-mail's recipient too."""

    def __init__(self, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        labels = (_("First day"), _("Last day"))
        for field, label in zip(self.fields.values(), labels, strict=True):
            field.widget.attrs |= {"placeholder": label, "aria-label": label}


class DaysFilter(RangeDateFilter):
    """Filters from one day to another, both included, by the site's clock."""

    form_class = DaysForm

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent]
    ) -> QuerySet[AuditEvent]:
        first = self._midnight("_from")
        last = self._midnight("_to")
        if first:
            queryset = queryset.filter(at__gte=first)
        return queryset.filter(at__lt=last + timedelta(days=1)) if last else queryset

    def _midnight(self, end: str) -> datetime | None:
        entered = self.used_parameters.get(f"{self.parameter_name}{end}") or ""
        day = parse_date_str(entered)
        return make_aware(datetime.combine(day, time.min)) if day else None


@admin.register(AuditEvent)
class AuditEventAdmin(AddressSearch, ReadOnlyAdmin):
    nothing_yet = _("Nothing has happened yet.")
    # Its plural names the log.
    counted_as = _("events")
    offered_rights = ("view",)
    list_display = (
        "time",
        "event",
        "whom",
        "by_whom",
        "kind",
        "method",
        "address",
        "said",
    )
    labelled_on_phones = ("by_whom",)
    list_filter = (
        ("event", SelectFilter),
        KindFilter,
        "method",
        ("at", DaysFilter),
    )
    list_filter_submit = True
    list_select_related = ("actor",)
    search_fields = ("user_name", "detail")
    search_help_text = _("Name, whole address or detail")
    fields = (*list_display, "browser")

    @display(description=_("time"), ordering="at")
    def time(self, event: AuditEvent) -> str:
        return moment(event.at)

    @display(description=_("name"), ordering="user_name")
    def whom(self, event: AuditEvent) -> str:
        """Lead to the user's page; of a user who was deleted the name is left."""
        if event.user_id is None:
            return in_words(event.user_name)
        page = page_of("users_pbxuser", event.user_id)
        return format_html('<a href="{}">{}</a>', page, event.user_name)

    @display(description=_("by"), ordering="actor")
    def by_whom(self, event: AuditEvent) -> str:
        return in_words(event.by)

    @display(description=_("browser"))
    def browser(self, event: AuditEvent) -> str:
        return in_words(event.user_agent)

    @display(description=_("detail"))
    def said(self, event: AuditEvent) -> str:
        return detail_in_words(event)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.export_view))
        name = "users_auditevent_export"
        return [path("export/", view, name=name), *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Send the events that the list's search and filters leave, newest first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        events = self.get_changelist_instance(request).get_queryset(request)
        if events.count() > MOST_EVENTS:
            messages.error(request, _too_many_text())
            listed = reverse("admin:users_auditevent_changelist")
            return redirect(f"{listed}?{request.GET.urlencode()}")
        file = as_csv(events)
        audit.record(
            Event.AUDIT_EXPORTED,
            user=None,
            actor=request.user,
            origin=origin_of(request),
            detail=request.GET.urlencode(),
        )
        headers = {"Content-Disposition": 'attachment; filename="audit-log.csv"'}
        return HttpResponse(file, "text/csv; charset=utf-8", headers=headers)


def _too_many_text() -> str:
    return gettext(
        "These are more than %(most)s events. Choose days or a kind of event, then"
        " export again."
    ) % {"most": intcomma(MOST_EVENTS)}
