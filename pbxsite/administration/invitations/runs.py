"""How users are invited in the administration, and how far that is."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.models import current_rules
from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from pbxsite.administration.queue.report import findings_of_mail
from verification.password_links import invitations
from verification.password_links.choices import Obstacle
from verification.password_links.models import InvitationRun
from verification.password_links.progress import progress_of

LIST = "admin:users_pbxuser_changelist"
RUN = "users_pbxuser_invitations"
PAGE = "admin/users/pbxuser/invitations/page.html"
LIVE = "admin/users/pbxuser/invitations/live.html"
# What a question or the report shows of many users.
SHOWN = 20
# What is read of each user who is invited.
COLUMNS = ("name", "email", "is_active", "is_staff", "is_superuser")


def impossible() -> str:
    return _(
        "Nobody can be invited: either the authentication type has no PBX password, or"
        " no e-mail account is set up. Both are settings of “Authentication”."
    )


def chosen(
    shown: Any, request: HttpRequest, users: QuerySet[PbxUser]
) -> invitations.Chosen:
    """Tell whom the requester may invite; `shown` is the admin of users."""
    rows = list(PbxUser.objects.filter(pk__in=users.values("pk")).only(*COLUMNS))
    above = {user.pk for user in rows if not shown.has_change_permission(request, user)}
    return invitations.choose(rows, above)


def start(request: HttpRequest, found: invitations.Chosen) -> HttpResponse:
    """Invite them, and lead to the page that shows how far it is."""
    assert isinstance(request.user, PbxUser)
    if not invitations.are_possible():
        messages.error(request, impossible())
        return redirect(LIST)
    run = invitations.start(found, actor=request.user, origin=origin_of(request))
    return redirect(f"admin:{RUN}", run.public_id)


def question(
    request: HttpRequest, found: invitations.Chosen, *, title: str, back_url: str
) -> HttpResponse:
    invited, left_out = found
    context = admin.site.each_context(request) | {
        "title": title,
        "opts": PbxUser._meta,
        "rows": [*_invited(len(invited)), *_left(left_out)],
        "back_url": back_url,
        "way": _("Invite"),
    }
    return TemplateResponse(request, "admin/confirm_action.html", context)


def _invited(count: int) -> list[str]:
    hours = current_rules().invitation_hours
    who = ngettext(
        "%(n)d user gets an e-mail with a link that sets a PBX password.",
        "%(n)d users get an e-mail with a link that sets a PBX password.",
        count,
    )
    how_long = ngettext(
        "The link works once, for %(n)d hour.",
        "The link works once, for %(n)d hours.",
        hours,
    )
    return [who % {"n": count}, how_long % {"n": hours}]


def _left(left_out: list[tuple[PbxUser, Obstacle]]) -> list[str]:
    """Name those who are not invited, by their obstacle."""
    sentences = []
    for obstacle in Obstacle:
        names = [user.name for user, why in left_out if why is obstacle]
        if names:
            sentences.append(
                _("Not invited, %(why)s (%(n)d): %(names)s")
                % {"why": obstacle.label, "n": len(names), "names": _few(names)}
            )
    return sentences


def _few(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")


def page_context(run: InvitationRun) -> dict[str, Any]:
    mails = reverse("admin:mail_outgoingemail_changelist")
    progress = progress_of(run)
    left_out = run.uninvited.select_related("user").order_by("user__name_key")
    return {
        "run": run,
        "progress": progress,
        # What keeps those that still wait.
        "troubles": findings_of_mail()[:1] if progress.still else [],
        "left_out": left_out,
        "mails_url": f"{mails}?kind__exact=invitation",
    }
