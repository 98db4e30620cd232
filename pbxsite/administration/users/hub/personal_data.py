"""What a user's page offers of people's data: the file for the user, and erasing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.text import slugify
from django.utils.translation import gettext, ngettext

from authconfig import lockout
from authconfig.bounded_counts import bounded_count
from authconfig.choices import Event
from authconfig.users import audit
from authconfig.users.audit import origin_of
from authconfig.users.models import AuditEvent, PbxUser
from pbxsite.administration.users.what_goes import WITH_USERS
from pbxsite.people.erasure import erase as erase_user
from pbxsite.people.export import as_json

# The file tells what all these lists show of the user.
EXPORT_RIGHTS = (
    "users.view_auditevent",
    "usersessions.view_usersession",
    "mfa.view_authenticator",
    "approval.view_loginsession",
    "mail.view_outgoingemail",
)
ERASE_RIGHTS = ("users.delete_pbxuser",)


def export(request: HttpRequest, user: PbxUser) -> HttpResponse:
    file = as_json(user)
    audit.record(
        Event.DATA_EXPORTED, user=user, actor=request.user, origin=origin_of(request)
    )
    name = f"{slugify(user.name) or user.pk}-data.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(file, "application/json; charset=utf-8", headers=headers)


def erase(request: HttpRequest, user: PbxUser) -> str:
    assert isinstance(request.user, PbxUser)
    done = erase_user(user, actor=request.user, origin=origin_of(request))
    said = [
        gettext("%(name)s was erased. The audit log says “%(digest)s” instead.")
        % {"name": done.name, "digest": done.pseudonym}
    ]
    if done.settings:
        text = gettext("The e-mail address still stands in these settings: %(keys)s.")
        said.append(text % {"keys": ", ".join(done.settings)})
    return " ".join(said)


def no_erasure(request: HttpRequest, user: PbxUser) -> str:
    """Say why the user cannot be erased here and now; "" if they can."""
    if user == request.user:
        return gettext("You cannot erase yourself. Ask another administrator.")
    shown: Any = admin.site.get_model_admin(PbxUser)
    if not shown.has_delete_permission(request, user):
        return gettext("You may not delete this user.")
    return lockout.last_one() if lockout.leaves_nobody([user]) else ""


def what_goes(user: PbxUser) -> Iterator[str]:
    for each in WITH_USERS:
        if count := bounded_count(each.rows([user])):
            yield f"{each.label}: {count}"
    events = bounded_count(AuditEvent.objects.filter(user=user))
    text = ngettext(
        "%(n)s event of the audit log stays, without the name.",
        "%(n)s events of the audit log stay, without the name.",
        events if isinstance(events, int) else 2,
    )
    yield text % {"n": events}
