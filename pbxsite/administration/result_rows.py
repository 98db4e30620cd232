"""The rows of a list as HTML that says each thing once.

The theme writes two dozen classes into each cell and renders each label by a template:
6 kB and a millisecond for each user. Here a column is looked at once, and its cells get
one class, to which `result_list.css` gives the look.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import label_for_field, quote
from django.core.exceptions import FieldDoesNotExist
from django.db.models import CharField, EmailField, Field, Model, TextField
from django.urls import reverse
from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from unfold.utils import display_for_field, display_for_value
from unfold.views import ChangeList

from pbxsite.administration.cells import badge, mail_address

CHECKBOX = "action_checkbox"
# Stands for the key in an address; no name of an application or model has it.
KEY = "0-0"
Show = Callable[[Any], Any]
Page = Callable[[Model], str]


@dataclass(frozen=True)
class Column:
    name: str
    tag: str
    is_link: bool
    show: Show
    # What stands before it where a phone has no room for heads; else nothing.
    label: str = ""


def rows(changes: ChangeList) -> SafeString:
    """Return the table's rows of a page of a list."""
    columns = list(_columns(changes))
    found: Iterable[Model] = changes.result_list
    page = _page_of_a_row(changes)
    return mark_safe("".join(_row(columns, page, row) for row in found))  # noqa: S308


def _page_of_a_row(changes: ChangeList) -> Page:
    """Return what makes a row's address of its key; to look each up takes longer."""
    model = changes.opts
    url = reverse(f"admin:{model.app_label}_{model.model_name}_change", args=[KEY])
    # What Django adds to the address so that the list comes back as it was left.
    kept = f"?{changes.preserved_filters}" if changes.preserved_filters else ""
    before, after = escape(f"{url}{kept}").split(KEY)
    return lambda row: f"{before}{quote(row.pk)}{after}"


def _columns(changes: ChangeList) -> Iterator[Column]:
    links = changes.list_display_links or ()
    labelled = getattr(changes.model_admin, "labelled_on_phones", ())
    is_headed = False
    for name in changes.list_display:
        is_link = name in links
        tag = "th" if is_link and not is_headed else "td"
        is_headed = is_headed or is_link
        label = _head(changes, name) if name in labelled else ""
        yield Column(name, tag, is_link, _show(changes, name), label)


def _head(changes: ChangeList, name: str) -> str:
    return escape(label_for_field(name, changes.model, changes.model_admin))


def _show(changes: ChangeList, name: str) -> Show:
    """Return what writes a cell of this column."""
    if name == "__str__":
        return str
    try:
        field = changes.lookup_opts.get_field(name)
    except FieldDoesNotExist:
        attribute = getattr(changes.model_admin, name)
        return (
            _labelled(attribute) if hasattr(attribute, "label") else _plain(attribute)
        )
    return _of_field(field)


def _of_field(field: Any) -> Show:
    assert isinstance(field, Field)
    name = field.attname
    if field.remote_field:
        return lambda row: getattr(row, name) and getattr(row, field.name)
    if field.flatchoices:
        words = dict(field.flatchoices)
        in_words = cache(lambda key: str(words.get(key, "")))
        return lambda row: in_words(getattr(row, name))
    if isinstance(field, EmailField):
        return lambda row: mail_address(getattr(row, name))
    if isinstance(field, CharField | TextField):
        return lambda row: getattr(row, name)
    return lambda row: display_for_field(getattr(row, name), field, "")


def _plain(attribute: Callable[[Any], Any]) -> Show:
    def show(row: Any) -> Any:
        value = attribute(row)
        return value if isinstance(value, str) else display_for_value(value, "")

    return show


def _labelled(attribute: Any) -> Show:
    """Write what unfold's `display(label=…)` decorates as a badge."""
    colors = attribute.label if isinstance(attribute.label, dict) else {}
    default = attribute.label if isinstance(attribute.label, str) else "plain"

    def show(row: Any) -> str:
        value = attribute(row)
        key, text = value if isinstance(value, tuple) else (value, value)
        return badge(str(text), colors.get(key, default)) if text else ""

    return show


def _row(columns: list[Column], page: Page, row: Model) -> str:
    cells = "".join(_cell(column, page, row) for column in columns)
    return f"<tr>{cells}</tr>\n"


def _cell(column: Column, page: Page, row: Model) -> str:
    if column.name == CHECKBOX:
        return _checkbox(row)
    value = column.show(row)
    shown = _escaped(value)
    if column.is_link:
        shown = f'<a href="{page(row)}">{shown or escape(row)}</a>'
    tag, more = column.tag, ' scope="row"' if column.tag == "th" else ""
    if column.label and shown:
        more = f' data-label="{column.label}"'
    return f'<{tag}{more} class="field-{column.name}">{shown}</{tag}>'


def _escaped(value: Any) -> str:
    """As `conditional_escape`, whose look for lazy texts takes as long as the rest."""
    if isinstance(value, SafeString):
        return value
    if isinstance(value, str):
        return html.escape(value)
    return "" if value is None else conditional_escape(value)


def _checkbox(row: Model) -> str:
    words = escape(_("Select %(row)s") % {"row": row})
    return (
        '<td class="action-checkbox"><input type="checkbox" class="action-select"'
        f' name="{ACTION_CHECKBOX_NAME}" value="{escape(row.pk)}"'
        f' aria-label="{words}"></td>'
    )
