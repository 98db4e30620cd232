"""What the lists of the administration have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

from django.contrib.admin import (
    ChoicesFieldListFilter,
    FieldListFilter,
    SimpleListFilter,
)
from django.db.models import Model, QuerySet
from django.forms import Media
from django.forms.widgets import MediaAsset
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.templatetags.unfold_list import result_headers
from unfold.views import ChangeList
from unfold.widgets import SELECT_CLASSES

from authconfig.bounded_counts import BoundedPaginator, bounded_count
from authconfig.clients.choices import Kind
from pbxsite.administration import result_rows

# Scripts that Django adds to each page of a model, and that none of ours uses: no field
# follows another one, no form opens another one in a window, nor grows by rows.
UNUSED = (
    *("jquery.min.js", "jquery.js", "jquery.init.js", "RelatedObjectLookups.js"),
    *("urlify.js", "prepopulate.js", "xregexp.min.js", "xregexp.js", "/inlines.js"),
)
# The filter of a time has a calendar, which is made with the other one's functions.
CALENDAR, OF_CALENDAR = "/calendar.js", "/core.js"


class SlimChangeList(ChangeList):
    """Writes its table itself, which the theme would write at six times the length."""

    def headers(self) -> list[dict[str, Any]]:
        """Return the heads as the theme has them; “myApps” keeps its small letter."""
        heads = list(result_headers(self))
        for head in heads:
            if head["text"] not in Kind.labels:
                head["text"] = capfirst(head["text"])
        return heads

    def rows(self) -> SafeString:
        return result_rows.rows(self)


class OwnLookups:
    """Lets an address filter a list by the list's own filters alone.

    Django takes any column that the address names, shown or not: whoever may see the
    list could ask a secret column letter by letter.
    """

    # Columns that need their head beside them where a phone has no room for heads.
    labelled_on_phones: Sequence[str] = ()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        page: HttpResponse = super().changelist_view(request, extra_context)  # type: ignore[misc]
        # The script of actions fails where there is no box to tick.
        context = getattr(page, "context_data", None) or {}
        return _light(page, *() if context.get("action_form") else ("/actions.js",))

    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        page: HttpResponse = super().changeform_view(*args, **kwargs)  # type: ignore[misc]
        return _light(page, "/actions.js")

    def delete_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        page: HttpResponse = super().delete_view(*args, **kwargs)  # type: ignore[misc]
        return _light(page, "/actions.js")

    def get_changelist(self, *args: Any, **kwargs: Any) -> type[ChangeList]:
        return SlimChangeList

    def lookup_allowed(
        self, lookup: str, value: str, request: HttpRequest | None = None
    ) -> bool:
        assert request is not None
        filters = self.get_list_filter(request)  # type: ignore[attr-defined]
        return any(lookup in _parameters(self, request, each) for each in filters)

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        """Allow the key alone: no page of the site names a row by another column."""
        return to_field == self.opts.pk.name  # type: ignore[attr-defined, no-any-return]


def _light(page: HttpResponse, *more: str) -> HttpResponse:
    """Leave out the scripts that the page does not use."""
    if isinstance(page, TemplateResponse) and page.context_data:
        files = page.context_data.get("media", Media())._js
        unused = (*UNUSED, *more)
        if not any(_path(each).endswith(CALENDAR) for each in files):
            unused = (*unused, OF_CALENDAR)
        used = [each for each in files if not _path(each).endswith(unused)]
        page.context_data["media"] = Media(js=used)
    return page


def _path(script: str | MediaAsset) -> str:
    """Return what names it: since Django 6.1 each is an object, written as its tag."""
    return str(getattr(script, "_path", script))


def _parameters(admin: Any, request: HttpRequest, listed: Any) -> list[str | None]:
    """Return the parameters of an address that a filter of a list answers to."""
    if isinstance(listed, type):
        return [listed.parameter_name]  # type: ignore[attr-defined]
    name, make = listed if isinstance(listed, tuple) else (listed, None)
    field = admin.opts.get_field(name)
    made = (make or FieldListFilter.create)(
        field, request, {}, admin.model, admin, field_path=name
    )
    return list(made.expected_parameters())


class KindFilter(SimpleListFilter):
    """Filters by kind, which the pages and their addresses call the client."""

    title = _("client")
    parameter_name = "client__exact"
    column = "kind"

    @property
    def lookup_kwarg(self) -> str:
        """With `lookup_val`, it lets the form of another filter keep this one."""
        return self.parameter_name

    @property
    def lookup_val(self) -> list[str]:
        return [self.value() or ""]

    def lookups(self, *args: Any) -> list[tuple[str, str]]:
        return list(Kind.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        kind = self.value()
        return queryset if kind is None else queryset.filter(**{self.column: kind})


class SelectFilter(ChoicesFieldListFilter):
    """Filters by one of many choices, which would be a wall of links."""

    template = "admin/select_filter.html"
    css_class = " ".join(SELECT_CLASSES)

    def __init__(
        self,
        field: Any,
        request: HttpRequest,
        params: dict[str, Any],
        model: type[Model],
        model_admin: Any,
        field_path: str,
    ) -> None:
        # The form sends it empty where everything is wanted.
        if params.get(f"{field_path}__exact") == [""]:
            del params[f"{field_path}__exact"]
        super().__init__(field, request, params, model, model_admin, field_path)

    def choices(self, changelist: Any) -> Iterator[Any]:
        chosen: Any = self.lookup_val or []
        for value, words in self.field.flatchoices:
            yield {"value": value, "words": words, "selected": value in chosen}


class BoundedChangeList(SlimChangeList):
    """Counts no table to its end; Django counts all rows for the page's head too."""

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
    """Searches for an address in `address_field`, and for other words elsewhere."""

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
    """Rows that the site itself writes: nobody edits them, but there are actions."""

    list_fullwidth = True
    # "change" is the right to the actions.
    offered_rights: Sequence[str] = ("view", "change")

    def has_add_permission(self, *args: Any) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission

    def has_end_permission(self, request: HttpRequest) -> bool:
        """May the user end what the list shows? It takes the right to change it."""
        right = f"{self.opts.app_label}.change_{self.opts.model_name}"
        return request.user.has_perm(right)

    def in_words(self, row: Any) -> str:
        """Return what the question before an action shows of the row."""
        return str(row)


class OwnedAdmin(ReadOnlyAdmin):
    """Rows of allauth's tables, which name the column of the user in English alone."""

    list_select_related: tuple[str, ...] = ("user",)

    @display(description=_("user"), ordering="user__name")
    def owner(self, row: Any) -> str:
        return str(row.user)
