"""The admin's read-only lists: logins that wait, outgoing e-mails and sessions."""

from __future__ import annotations

from typing import Any

from allauth.mfa.admin import Authenticator
from allauth.usersessions.adapter import get_adapter as get_sessions_adapter
from allauth.usersessions.admin import UserSession
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from authconfig.choices import Event
from authconfig.clients.choices import Kind
from authconfig.users import audit
from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from pbxsite.administration.lists import AddressSearch, ReadOnlyAdmin, confirmed, moment
from pbxsite.administration.users.rights import is_above
from verification.approval import flows
from verification.approval.choices import Ending, LoginState
from verification.approval.models import LoginSession
from verification.sessions.choices import Approver
from verification.sessions.factors import remove_all
from verification.sessions.lifecycle import live_sessions
from verification.sessions.reauthentication import reauthentication_required
from verification.sessions.user_agents import browser_text

EXPIRED = "expired"
STATUS_TEXTS = {
    **dict(LoginState.choices),
    **dict(Ending.choices),
    EXPIRED: _("Expired"),
}
STATUS_KINDS = {
    LoginState.PENDING: "warning",
    LoginState.ACCEPTED: "info",
    LoginState.COMPLETED: "success",
    Ending.REJECTED: "danger",
    Ending.WRONG_CODES: "danger",
}


class StatusFilter(admin.SimpleListFilter):
    """By state as people see it: what has expired waits no more."""

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


@admin.register(LoginSession)
class LoginSessionAdmin(ReadOnlyAdmin):
    list_display = (
        "user",
        "client",
        "method",
        "status_text",
        "approver",
        "address",
        "browser",
        "started",
        "expires",
    )
    list_filter = (StatusFilter, "client")
    list_select_related = ("user",)
    search_fields = ("user__name",)
    search_help_text = _("Name of the user")
    fields = (
        "user",
        "client",
        "method",
        "state",
        "ending",
        "approver",
        "address",
        "browser",
        "started",
        "expires",
        "decided_at",
        "code_tries",
    )
    actions = ["reject_selected"]

    @display(description=_("state"), ordering="state", label=STATUS_KINDS)
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

    @action(description=_("Reject selected logins"), permissions=["end"])
    @confirmed(_("Reject these logins?"))
    def reject_selected(
        self, request: HttpRequest, queryset: QuerySet[LoginSession]
    ) -> None:
        assert isinstance(request.user, PbxUser)
        waiting = queryset.filter(state=LoginState.PENDING).select_related("user")
        count = sum(flows.end(login, actor=request.user) for login in waiting)
        text = ngettext("%(n)d login rejected.", "%(n)d logins rejected.", count)
        messages.success(request, text % {"n": count})


class ClientFilter(admin.SimpleListFilter):
    title = _("client")
    parameter_name = "client"

    def lookups(self, *args: Any) -> list[tuple[str, str]]:
        return list(Kind.choices)

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[UserSession]
    ) -> QuerySet[UserSession]:
        return queryset.filter(data__client=self.value()) if self.value() else queryset


# Importing allauth's admins registered them; ours take their places.
admin.site.unregister([Authenticator, UserSession])


class OwnedAdmin(ReadOnlyAdmin):
    """Rows of allauth's tables, which name their user in English alone."""

    list_select_related = ("user",)

    @display(description=_("user"), ordering="user__name")
    def owner(self, row: UserSession | Authenticator) -> str:
        return str(row.user)


@admin.register(UserSession)
class UserSessionAdmin(AddressSearch, OwnedAdmin):
    """Sessions that a browser can still use; their keys are shown nowhere."""

    list_display = (
        "owner",
        "address",
        "browser",
        "client",
        "approved_by",
        "created",
        "last_seen",
    )
    list_filter = (ClientFilter,)
    search_fields = ("user__name",)
    address_field = "ip"
    search_help_text = _("Name of the user or whole address")
    # Of allauth's table; an index by last use would be written with each use.
    ordering = ("-pk",)
    fields = list_display
    actions = ["end_selected"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[UserSession]:
        sessions: QuerySet[UserSession] = super().get_queryset(request)
        return sessions & live_sessions()

    @display(description=_("browser"))
    def browser(self, session: UserSession) -> str:
        return browser_text(session.user_agent)

    @display(description=_("address"), ordering="ip")
    def address(self, session: UserSession) -> str:
        return str(session.ip)

    @display(description=_("created"), ordering="created_at")
    def created(self, session: UserSession) -> str:
        return moment(session.created_at)

    @display(description=_("last seen"), ordering="last_seen_at")
    def last_seen(self, session: UserSession) -> str:
        return moment(session.last_seen_at)

    @display(description=_("client"))
    def client(self, session: UserSession) -> str:
        client = session.data.get("client")
        return str(Kind(client).label) if client else ""

    @display(description=_("approved by"))
    def approved_by(self, session: UserSession) -> str:
        approver = session.data.get("approver")
        return str(Approver(approver).label) if approver else ""

    def in_words(self, session: UserSession) -> str:
        return f"{session.user} · {self.browser(session)} · {session.ip}"

    @action(description=_("End selected sessions"), permissions=["end"])
    @confirmed(_("End these sessions?"))
    def end_selected(
        self, request: HttpRequest, queryset: QuerySet[UserSession]
    ) -> None:
        own = request.session.session_key
        ended = list(queryset.exclude(session_key=own).select_related("user"))
        origin = origin_of(request)
        for session in ended:
            audit.record(
                Event.SESSION_ENDED,
                user=session.user,
                actor=request.user,
                origin=origin,
                client=session.data.get("client", ""),
            )
        get_sessions_adapter().end_sessions(ended)
        count = len(ended)
        text = ngettext("%(n)d session ended.", "%(n)d sessions ended.", count)
        messages.success(request, text % {"n": count})
        if queryset.filter(session_key=own).exists():
            messages.warning(request, _("Log out to end your own session."))


@admin.register(Authenticator)
class FactorAdmin(OwnedAdmin):
    """Who has passkeys or codes; of a lost device they are removed here."""

    list_display = ("owner", "kind", "created", "last_used")
    list_filter = ("type",)
    search_fields = ("user__name",)
    search_help_text = _("Name of the user")
    ordering = ("-created_at", "-pk")
    fields = list_display
    actions = ["remove_all_of_users"]

    @display(description=_("second factor"))
    def kind(self, factor: Authenticator) -> str:
        return str(factor.get_type_display())

    @display(description=_("created"), ordering="created_at")
    def created(self, factor: Authenticator) -> str:
        return moment(factor.created_at)

    @display(description=_("last used"), ordering="last_used_at")
    def last_used(self, factor: Authenticator) -> str:
        return moment(factor.last_used_at)

    def in_words(self, factor: Authenticator) -> str:
        return f"{factor.user} · {self.kind(factor)}"

    @action(
        description=_("Remove all second factors of these users"), permissions=["end"]
    )
    @confirmed(_("Remove all second factors of these users?"))
    @method_decorator(reauthentication_required)  # type: ignore[arg-type]  # no answer
    def remove_all_of_users(
        self, request: HttpRequest, queryset: QuerySet[Authenticator]
    ) -> None:
        assert isinstance(request.user, PbxUser)
        users = list(PbxUser.objects.filter(pk__in=queryset.values("user")))
        own = [user for user in users if not is_above(request, user)]
        removed = [user for user in own if remove_all(user, actor=request.user)]
        if removed:
            text = _("Removed: all second factors of %(names)s.")
            messages.success(request, text % {"names": _names(removed)})
        if above := [user for user in users if is_above(request, user)]:
            text = _("Only an administrator with all rights may do that to %(names)s.")
            messages.warning(request, text % {"names": _names(above)})


def _names(users: list[PbxUser]) -> str:
    return ", ".join(user.name for user in users)
