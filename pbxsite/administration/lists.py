"""What the admin's read-only lists have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from ipaddress import ip_address
from typing import Any

from django.contrib.admin import FieldListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from authconfig.counts import BoundedPaginator, bounded_count

# A text, then what can be done about it: told from the text by more than its colour.
LINK = '{} <a class="text-primary-600 underline dark:text-primary-500" href="{}">{}</a>'


class OwnLookups:
    """Django filters a list by any column that the address names, shown or not.

    Whoever may see the list could ask a secret column letter by letter.
    """

    def lookup_allowed(
        self, lookup: str, value: str, request: HttpRequest | None = None
    ) -> bool:
        assert request is not None
        filters = self.get_list_filter(request)  # type: ignore[attr-defined]
        return any(lookup in _parameters(self, request, each) for each in filters)

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        """No page of the site names a row by another column than its key."""
        return to_field == self.opts.pk.name  # type: ignore[attr-defined, no-any-return]


def _parameters(admin: Any, request: HttpRequest, listed: Any) -> list[str | None]:
    """Return the words in an address that a filter of a list answers to."""
    if isinstance(listed, type):
        return [listed.parameter_name]  # type: ignore[attr-defined]
    name, make = listed if isinstance(listed, tuple) else (listed, None)
    field = admin.opts.get_field(name)
    made = (make or FieldListFilter.create)(
        field, request, {}, admin.model, admin, field_path=name
    )
    return list(made.expected_parameters())


class BoundedChangeList(ChangeList):
    """Django counts all rows for the page's head as well, filtered or not."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        narrowed = self.query or self.has_active_filters
        everything = bounded_count(self.root_queryset) if narrowed else None
        self.full_result_count = self.result_count if everything is None else everything
        self.show_full_result_count = True


class GrowingList(OwnLookups):
    """The list of a table that grows; on PostgreSQL an index serves its search."""

    paginator = BoundedPaginator
    show_full_result_count = False

    def get_changelist(self, *args: Any, **kwargs: Any) -> type[ChangeList]:
        return BoundedChangeList


class AddressSearch:
    """A search for an address finds it in `address_field`, other words elsewhere."""

    address_field = "address"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if address := address_in(search_term):
            return queryset.filter(**{self.address_field: address}), False
        found: tuple[QuerySet[Any], bool]
        found = super().get_search_results(request, queryset, search_term)  # type: ignore[misc]
        return found


def address_in(text: str) -> str:
    """Return the IP address as the database writes it; empty if it is none."""
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        return ""


class ReadOnlyAdmin(GrowingList, ModelAdmin):
    """What the site itself writes, nobody edits; what may be done are actions."""

    list_fullwidth = True
    # "change" is the right to the actions.
    offered_rights: Sequence[str] = ("view", "change")

    def has_add_permission(self, *args: Any) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission

    def has_end_permission(self, request: HttpRequest) -> bool:
        """The right that such actions ask for: to change what the list shows."""
        right = f"{self.opts.app_label}.change_{self.opts.model_name}"
        return request.user.has_perm(right)

    def in_words(self, row: Any) -> str:
        """Return what tells the row from others where an action asks about it."""
        return str(row)


Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]
CONFIRMED = "confirmed"
# What the question shows of many chosen rows.
SHOWN_ROWS = 20


def confirmed(question: str | Promise) -> Callable[[Action], Action]:
    """Have an action of a list ask first; the answer is a second POST."""

    def decorate(perform: Action) -> Action:
        @wraps(perform)
        def ask(
            admin: ReadOnlyAdmin, request: HttpRequest, queryset: QuerySet[Any]
        ) -> HttpResponse | None:
            if CONFIRMED in request.POST:
                return perform(admin, request, queryset)
            context = admin.admin_site.each_context(request) | {
                "title": question,
                "opts": admin.opts,
                "rows": [admin.in_words(row) for row in queryset[:SHOWN_ROWS]],
                "more": max(0, queryset.count() - SHOWN_ROWS),
                "action": request.POST["action"],
                "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
                "checkbox_name": ACTION_CHECKBOX_NAME,
                "select_across": request.POST.get("select_across", "0"),
                "confirmed_name": CONFIRMED,
            }
            return TemplateResponse(request, "admin/confirm_action.html", context)

        return ask

    return decorate


def moment(at: datetime | None) -> str:
    """Return a time to the second; a narrow column breaks it before the hour."""
    if at is None:
        return ""
    part = '<span class="whitespace-nowrap">{}</span>'
    local = localtime(at)
    return format_html(
        f"{part} {part}", date_format(local, "SHORT_DATE_FORMAT"), f"{local:%H:%M:%S}"
    )
