"""What operators do with mails that they chose in the list."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action

from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from pbxsite.administration.confirmation import confirmed
from verification.mail.models import OutgoingEmailQuerySet
from verification.mail.operation import actions
from verification.mail.operation.actions import Operator


def operator_of(request: HttpRequest) -> Operator:
    assert isinstance(request.user, PbxUser)
    origin = origin_of(request)
    return Operator(request.user, origin)


@action(description=_("Queue selected e-mails again"), permissions=["operate"])
@confirmed(
    _("Queue these e-mails again?"),
    way=_("Queue again"),
    more=_(
        "Of a notice or voicemail that may be there already a second one goes out."
        " What was sent, and verification e-mails that may be there or whose login is"
        " over, stay as they are."
    ),
)
def retry_selected(admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> None:
    assert isinstance(queryset, OutgoingEmailQuerySet)
    chosen = queryset.count()
    count = actions.retry(queryset, operator_of(request))
    text = ngettext("%(n)d e-mail queued.", "%(n)d e-mails queued.", count)
    messages.success(request, text % {"n": count})
    if left := chosen - count:
        text = ngettext(
            "%(n)d stayed as it is: it was sent or is not wanted any more.",
            "%(n)d stayed as they are: they were sent or are not wanted any more.",
            left,
        )
        messages.warning(request, text % {"n": left})


@action(description=_("Cancel selected e-mails"), permissions=["operate"])
@confirmed(
    _("Cancel these e-mails?"),
    yes=_("Cancel the e-mails"),
    more=_("Only those that are still queued will be."),
)
def cancel_selected(admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> None:
    assert isinstance(queryset, OutgoingEmailQuerySet)
    count = actions.cancel(queryset, operator_of(request))
    text = ngettext("%(n)d e-mail cancelled.", "%(n)d e-mails cancelled.", count)
    messages.success(request, text % {"n": count})
