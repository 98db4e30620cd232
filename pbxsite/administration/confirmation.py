"""Actions of a list that ask first: the answer is a second POST."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise

Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]
CONFIRMED = "confirmed"
QUESTION = "admin/confirm_action.html"
# What the question shows of many chosen rows.
SHOWN_ROWS = 20


def confirmed(
    question: str | Promise,
    *,
    yes: str | Promise = "",
    way: str | Promise = "",
    more: str | Promise = "",
    goes: Callable[[QuerySet[Any]], str] = lambda _rows: "",
) -> Callable[[Action], Action]:
    """Have an action ask `question` first; the button `yes` says what it does.

    The button `way` does the same for what harms nobody; `more` says what else there is
    to know, and `goes` how much is gone for good then.
    """

    def decorate(perform: Action) -> Action:
        @wraps(perform)
        def ask(
            admin: Any, request: HttpRequest, queryset: QuerySet[Any]
        ) -> HttpResponse | None:
            if CONFIRMED in request.POST:
                return perform(admin, request, queryset)
            shown = {"title": question, "yes": yes, "way": way, "note": more}
            shown["goes"] = goes(queryset)
            context = _question(admin, request, queryset) | shown
            return TemplateResponse(request, QUESTION, context)

        return ask

    return decorate


def _question(
    admin: Any, request: HttpRequest, queryset: QuerySet[Any]
) -> dict[str, Any]:
    shared: dict[str, Any] = admin.admin_site.each_context(request)
    return shared | {
        "opts": admin.opts,
        "rows": [admin.in_words(row) for row in queryset[:SHOWN_ROWS]],
        "more": max(0, queryset.count() - SHOWN_ROWS),
        "action": request.POST["action"],
        "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "select_across": request.POST.get("select_across", "0"),
        "confirmed_name": CONFIRMED,
    }
