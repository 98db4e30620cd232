"""The last requests of the provider, for the page that shows them."""

from __future__ import annotations

import json

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse

from authconfig.sync.models import ScimRequest
from authconfig.users.audit import origin_of

KEPT = 200
# Between two deletions so many more may gather.
MORE = 50
LONGEST = 300


def keep(request: HttpRequest, path: str, answer: HttpResponse) -> None:
    """Note a request; that it cannot be noted must not fail it."""
    query = request.META.get("QUERY_STRING", "")
    shown = f"/{path}?{query}" if query else f"/{path}"
    try:
        row = ScimRequest.objects.create(
            method=str(request.method)[:10],
            path=_plain(shown),
            status=answer.status_code,
            words=_plain(_words(answer)),
            address=origin_of(request).address or None,
        )
        if row.pk % MORE == 0:
            ScimRequest.objects.filter(pk__lte=row.pk - KEPT).delete()
    except (DatabaseError, InterfaceError):
        return


def _words(answer: HttpResponse) -> str:
    if answer.status_code < 400:
        return ""
    try:
        told = json.loads(answer.content)
    except ValueError:
        return ""
    return " ".join(str(told[n]) for n in ("scimType", "detail") if told.get(n))


def _plain(text: str) -> str:
    return text.replace("\0", "\ufffd")[:LONGEST]
