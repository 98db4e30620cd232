"""What a cell of the administration shows: a time, or a text with a link."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import get_language

# A text, then what can be done about it: told from the text by more than its colour.
LINK = '{} <a class="text-primary-600 underline dark:text-primary-500" href="{}">{}</a>'


def moment(at: datetime | None) -> str:
    """Return a time to the second, by the site's clock, whose zone it names."""
    if at is None:
        return ""
    local = localtime(at)
    return f"{_day(local.date(), get_language())} {local:%H:%M:%S %Z}"


@lru_cache(maxsize=1000)
def _day(day: date, _language: str | None) -> str:
    """Remember the days: a list has many times of a few."""
    return date_format(day, "SHORT_DATE_FORMAT")


@lru_cache
def _list(model: str) -> str:
    return reverse(f"admin:{model}_changelist")


def page_of(model: str, pk: object) -> str:
    """Return the address of a row's page; a list asks for a hundred of them."""
    return f"{_list(model)}{pk}/change/"


def mail_address(address: str) -> SafeString:
    """Return an address that a narrow column breaks before its domain alone."""
    before, at, domain = address.rpartition("@")
    return (
        format_html("{}{}<wbr>{}", before, at, domain)
        if at
        else format_html("{}", address)
    )


def badge(text: str, color: str) -> SafeString:
    """Return a short text that stands out; its words say what its colour does."""
    return format_html('<span class="badge badge-{}">{}</span>', color, text)


def because(text: str, why: str) -> SafeString:
    """Return a warning badge and its reason, which is heard apart from it."""
    return format_html("{} {}", badge(f"{text}:", "danger"), why)
