"""The admin's list of outgoing e-mails: operators queue them again or cancel them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from authconfig.users.models import AuditEvent
from authconfig.users.pseudonyms import in_words
from pbxsite.administration.cells import moment
from pbxsite.administration.kept_words import mail_in_words
from pbxsite.administration.lists import ReadOnlyAdmin
from pbxsite.administration.queue.mail_actions import cancel_selected, retry_selected
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.mail.operation.history import mail_history
from verification.mail.operation.operators import is_operator
from verification.mail.operation.outcomes import remedy_of
from verification.mail.operation.overview import refused_mails

# The list shows the beginning of the server's words, the mail's own page all of them.
REPLY_LENGTH = 60
STATE_COLORS = {
    MailState.QUEUED: "info",
    MailState.SENDING: "info",
    MailState.SENT: "success",
    MailState.FAILED: "danger",
    MailState.UNKNOWN: "warning",
}


class MailCells:
    """What the list and a mail's page show of a mail beside its columns."""

    @display(description=_("state"), ordering="state", label=STATE_COLORS)
    def state_text(self, mail: OutgoingEmail) -> tuple[str, str]:
        return mail.state, mail.get_state_display()

    @display(description=_("server's words"))
    def reply(self, mail: OutgoingEmail) -> str:
        return Truncator(mail.words).chars(REPLY_LENGTH)

    @display(description=_("created"), ordering="created_at")
    def created(self, mail: OutgoingEmail) -> str:
        return moment(mail.created_at)

    @display(description=_("due"), ordering="due_at")
    def due(self, mail: OutgoingEmail) -> str:
        return moment(mail.due_at)

    @display(description=_("ended"), ordering="ended_at")
    def ended(self, mail: OutgoingEmail) -> str:
        return moment(mail.ended_at)

    @display(description=_("what to do"))
    def remedy(self, mail: OutgoingEmail) -> str:
        return remedy_of(mail)

    @display(description=_("what became of it"))
    def history(self, mail: OutgoingEmail) -> str:
        """Show each try and what operators did, by the audit log: no body, no link."""
        rows = [
            (moment(event.at), event.get_event_display(), in_words(event.by), said)
            for event, said in _told(mail)
        ]
        return render_to_string("admin/queue/mail_history.html", {"rows": rows})


def _told(mail: OutgoingEmail) -> Iterator[tuple[AuditEvent, str]]:
    for event, kept in mail_history(mail):
        yield event, mail_in_words(kept)


class RefusedAddressFilter(SimpleListFilter):
    """Shows the mails of the last day that failed for their recipients' sake."""

    title = _("address")
    parameter_name = "address"

    def lookups(self, *args: Any) -> list[tuple[str, str]]:
        return [("refused", gettext("Refused by the mail server in the last day"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "refused":
            return queryset
        return queryset.filter(pk__in=[mail.pk for mail in refused_mails()])


@admin.register(OutgoingEmail)
class OutgoingEmailAdmin(MailCells, ReadOnlyAdmin):
    nothing_yet = _("No e-mail was sent yet.")
    offered_rights = ("view",)
    own_rights = {"operate_queue": _("operate the queue")}
    list_display = (
        *("user", "kind", "recipient", "state_text", "attempts"),
        *("created", "due", "ended", "reply"),
    )
    labelled_on_phones = ("attempts", "created", "due", "ended")
    list_filter = ("state", "kind", RefusedAddressFilter)
    list_select_related = ("user",)
    search_fields = ("user__name", "user__email")
    search_help_text = _("Name or e-mail address of the user")
    fields = (
        *("user", "kind", "recipient", "state", "attempts"),
        *("created", "due", "ended", "expires_at"),
        *("stage", "code", "words", "remedy", "language", "history"),
    )
    actions = [retry_selected, cancel_selected]
    change_form_template = "admin/mail/outgoingemail/change_form.html"

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return is_operator(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_view = bool(super().has_view_permission(request, obj))
        return may_view or self.has_operate_permission(request)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Offer on the page of a mail what the list does with those chosen there."""
        shown = OutgoingEmail.objects.filter(pk=context["original"].pk)
        may = self.has_operate_permission(request)
        context["may_queue_again"] = may and shown.retryable().exists()
        page: HttpResponse = super().render_change_form(
            request, context, *args, **kwargs
        )
        return page

    def in_words(self, mail: OutgoingEmail) -> str:
        return f"{mail.get_kind_display()} · {mail.recipient} · {mail.words}"
