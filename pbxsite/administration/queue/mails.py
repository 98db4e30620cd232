"""TODO docstring of pbxsite.administration.queue.mails"""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from pbxsite.administration.lists import ReadOnlyAdmin, confirmed, moment
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail, OutgoingEmailQuerySet
from verification.mail.operation import actions as operations
from verification.mail.operation.actions import Operator
from verification.mail.operation.history import mail_history
from verification.mail.operation.operators import is_operator
from verification.mail.operation.outcomes import remedy_of

# The whole of the server's words stands on the mail's own page.
REPLY_LENGTH = 60
MAIL_KINDS = {
    MailState.QUEUED: "info",
    MailState.SENDING: "info",
    MailState.SENT: "success",
    MailState.FAILED: "danger",
    MailState.UNKNOWN: "warning",
}


@admin.register(OutgoingEmail)
class OutgoingEmailAdmin(ReadOnlyAdmin):
    offered_rights = ("view",)
    own_rights = {"operate_queue": _("operate the queue")}
    list_display = (
        "user",
        "kind",
        "recipient",
        "state_text",
        "attempts",
        "created",
        "due",
        "ended",
        "reply_code",
        "reply",
    )
    list_filter = ("state", "kind")
    list_select_related = ("user",)
    search_fields = ("user__name", "user__email")
    search_help_text = _("Name or e-mail address of the user")
    fields = (
        "user",
        "kind",
        "recipient",
        "state",
        "attempts",
        "created",
        "due",
        "ended",
        "expires_at",
        "stage",
        "code",
        "words",
        "remedy",
        "language",
        "history",
    )
    actions = ["retry_selected", "cancel_selected"]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return is_operator(request)

    def has_view_permission(
        self, request: HttpRequest, obj: OutgoingEmail | None = None
    ) -> bool:
        may_view = bool(super().has_view_permission(request, obj))
        return may_view or self.has_operate_permission(request)

    @display(description=_("state"), ordering="state", label=MAIL_KINDS)
    def state_text(self, mail: OutgoingEmail) -> tuple[str, str]:
        return mail.state, mail.get_state_display()

    @display(description=_("code"), ordering="code")
    def reply_code(self, mail: OutgoingEmail) -> str:
        return str(mail.code or "")

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
        """Each try and what operators did, by the audit log; no body, no link."""
        rows = [
            (moment(event.at), event.get_event_display(), event.actor or "", words)
            for event, words in mail_history(mail)
        ]
        return render_to_string("verification/mail_history.html", {"rows": rows})

    def in_words(self, mail: OutgoingEmail) -> str:
        return f"{mail.get_kind_display()} · {mail.recipient} · {mail.words}"

    @action(description=_("Queue selected e-mails again"), permissions=["operate"])
    @confirmed(
        _(
            "Queue these e-mails again? Of a notice or voicemail that may be there"
            " already a second one goes out. What was sent, and verification e-mails"
            " that may be there or whose login is over, stay as they are."
        )
    )
    def retry_selected(
        self, request: HttpRequest, queryset: QuerySet[OutgoingEmail]
    ) -> None:
        assert isinstance(queryset, OutgoingEmailQuerySet)
        chosen = queryset.count()
        count = operations.retry(queryset, operator_of(request))
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
    @confirmed(_("Cancel these e-mails? Only those that are still queued will be."))
    def cancel_selected(
        self, request: HttpRequest, queryset: QuerySet[OutgoingEmail]
    ) -> None:
        assert isinstance(queryset, OutgoingEmailQuerySet)
        count = operations.cancel(queryset, operator_of(request))
        text = ngettext("%(n)d e-mail cancelled.", "%(n)d e-mails cancelled.", count)
        messages.success(request, text % {"n": count})


def operator_of(request: HttpRequest) -> Operator:
    assert isinstance(request.user, PbxUser)
    origin = origin_of(request)
    return Operator(request.user, origin)
