"""The tag that every page of a signed-in user includes."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import RequestContext
from django.urls import reverse

from authconfig.clients.destinations import ACCOUNT
from verification.approval.banner import context_of

register = template.Library()


@register.inclusion_tag("verification/approval/approvals.html", takes_context=True)
def approvals(context: RequestContext) -> dict[str, Any]:
    request = context.get("request")
    if request is None or not hasattr(request, "user"):
        return {}
    shown = context_of(request, context.get("tried"))
    on_account = shown["was_tried"] or request.path == reverse(ACCOUNT)
    return shown | {
        "csrf_token": context.get("csrf_token"),
        "is_open": on_account,
        "next_url": "" if on_account else request.get_full_path(),
    }
