"""The admin's list of signed-in sessions: they can be ended."""

from __future__ import annotations

from allauth.usersessions.adapter import get_adapter as get_sessions_adapter
from allauth.usersessions.admin import UserSession
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from authconfig.choices import Event
from authconfig.clients.choices import Kind
from authconfig.users import audit
from authconfig.users.audit import origin_of
from pbxsite.administration.cells import moment
from pbxsite.administration.confirmation import confirmed
from pbxsite.administration.lists import AddressSearch, KindFilter, OwnedAdmin
from verification.sessions.choices import Approver
from verification.sessions.lifecycle import live_sessions
from verification.sessions.user_agents import browser_text

# Importing allauth's page registered it; ours takes its place.
admin.site.unregister(UserSession)


class SessionKindFilter(KindFilter):
    parameter_name = "client"
    column = "data__kind"


@action(description=_("End selected sessions"), permissions=["end"])
@confirmed(_("End these sessions?"), yes=_("End the sessions"))
def end_selected(
    admin: OwnedAdmin, request: HttpRequest, queryset: QuerySet[UserSession]
) -> None:
    own = request.session.session_key
    ended = list(queryset.exclude(session_key=own).select_related("user"))
    _record_ends(request, ended)
    get_sessions_adapter().end_sessions(ended)
    text = ngettext("%(n)d session ended.", "%(n)d sessions ended.", len(ended))
    messages.success(request, text % {"n": len(ended)})
    if queryset.filter(session_key=own).exists():
        messages.warning(request, _("Log out to end your own session."))


def _record_ends(request: HttpRequest, ended: list[UserSession]) -> None:
    origin = origin_of(request)
    for session in ended:
        audit.record(
            Event.SESSION_ENDED,
            user=session.user,
            actor=request.user,
            origin=origin,
            kind=session.data.get("kind", ""),
        )


@admin.register(UserSession)
class UserSessionAdmin(AddressSearch, OwnedAdmin):
    nothing_yet = _("Nobody is signed in.")
    """Sessions that a browser can still use; their keys are shown nowhere."""

    list_display = (
        *("owner", "address", "browser", "kind", "approved_by"),
        *("created", "last_seen"),
    )
    labelled_on_phones = ("approved_by", "created", "last_seen")
    list_filter = (SessionKindFilter,)
    search_fields = ("user__name",)
    address_field = "ip"
    search_help_text = _("Name of the user or whole address")
    # The table is allauth's; an index by last use would be written with each use.
    ordering = ("-pk",)
    fields = list_display
    actions = [end_selected]

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
    def kind(self, session: UserSession) -> str:
        kind = session.data.get("kind")
        return str(Kind(kind).label) if kind else ""

    @display(description=_("approved by"))
    def approved_by(self, session: UserSession) -> str:
        approver = session.data.get("approver")
        return str(Approver(approver).label) if approver else ""

    def in_words(self, session: UserSession) -> str:
        return f"{session.user} · {self.browser(session)} · {session.ip}"
