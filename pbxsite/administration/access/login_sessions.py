"""The admin's list of login sessions: pending ones can be rejected."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from authconfig.users.models import PbxUser
from pbxsite.administration.cells import moment
from pbxsite.administration.confirmation import confirmed
from pbxsite.administration.lists import KindFilter, ReadOnlyAdmin
from verification.approval import flows
from verification.approval.choices import Ending, LoginState
from verification.approval.models import LoginSession

EXPIRED = "expired"
STATUS_TEXTS = {
    **dict(LoginState.choices),
    **dict(Ending.choices),
    EXPIRED: _("Expired"),
}
STATUS_COLORS = {
    LoginState.PENDING: "warning",
    LoginState.ACCEPTED: "info",
    LoginState.COMPLETED: "success",
    Ending.REJECTED: "danger",
    Ending.WRONG_CODES: "danger",
}
FACTS = ("approver", "address", "browser", "started", "expires")


class StatusFilter(admin.SimpleListFilter):
    """Filters by the state that people see: an expired login is not pending."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, *args: Any) -> list[tuple[str, Any]]:
        return [*LoginState.choices, (EXPIRED, _("Expired"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LoginSession]
    ) -> QuerySet[LoginSession]:
        state, is_over = self.value(), Q(expires_at__lte=timezone.now())
        is_open = Q(state__in=[LoginState.PENDING, LoginState.ACCEPTED])
        if state == EXPIRED:
            return queryset.filter(is_open & is_over)
        if state in (LoginState.PENDING, LoginState.ACCEPTED):
            queryset = queryset.exclude(is_over)
        return queryset.filter(state=state) if state else queryset


@action(description=_("Reject selected logins"), permissions=["end"])
@confirmed(_("Reject these logins?"), yes=_("Reject the logins"))
def reject_selected(
    admin: ReadOnlyAdmin, request: HttpRequest, queryset: QuerySet[LoginSession]
) -> None:
    assert isinstance(request.user, PbxUser)
    pending = queryset.filter(state=LoginState.PENDING).select_related("user")
    count = sum(flows.end(login, actor=request.user) for login in pending)
    text = ngettext("%(n)d login rejected.", "%(n)d logins rejected.", count)
    messages.success(request, text % {"n": count})


@admin.register(LoginSession)
class LoginSessionAdmin(ReadOnlyAdmin):
    nothing_yet = _(
        "No login has waited for approval. With two-factor authentication each one"
        " does."
    )
    list_display = ("user", "kind", "method", "status_text", *FACTS)
    labelled_on_phones = ("approver", "started", "expires")
    list_filter = (StatusFilter, KindFilter)
    list_select_related = ("user",)
    search_fields = ("user__name",)
    search_help_text = _("Name of the user")
    fields = (
        *("user", "kind", "method", "state", "ending"),
        *FACTS,
        *("decided_at", "code_tries"),
    )
    actions = [reject_selected]

    @display(description=_("state"), ordering="state", label=STATUS_COLORS)
    def status_text(self, login: LoginSession) -> tuple[str, str]:
        return login.status, str(STATUS_TEXTS[login.status])

    @display(description=_("started"), ordering="created_at")
    def started(self, login: LoginSession) -> str:
        return moment(login.created_at)

    @display(description=_("expires"), ordering="expires_at")
    def expires(self, login: LoginSession) -> str:
        return moment(login.expires_at)

    @display(description=_("browser"))
    def browser(self, login: LoginSession) -> str:
        return login.browser_text

    def in_words(self, login: LoginSession) -> str:
        return f"{login.user} · {login.browser_text} · {login.address or ''}"
