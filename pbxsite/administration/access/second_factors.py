"""The admin's list of second factors: after a loss they can be removed."""

from __future__ import annotations

from typing import Any

from allauth.mfa.admin import Authenticator
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from authconfig.bounded_counts import bounded_count
from authconfig.users.models import PbxUser
from pbxsite.administration.cells import moment
from pbxsite.administration.confirmation import confirmed
from pbxsite.administration.lists import OwnedAdmin
from pbxsite.administration.users.rights import is_above
from verification.sessions.factors import remove_all, unapproved
from verification.sessions.reauthentication import reauthentication_required

NOT_APPROVED = "no"
# Importing allauth's page registered it; ours takes its place.
admin.site.unregister(Authenticator)


def _what_goes(chosen: QuerySet[Authenticator]) -> str:
    """Count those that are not chosen as well: all of the users' factors go."""
    count = bounded_count(
        Authenticator.objects.filter(user__in=chosen.order_by().values("user"))
    )
    text = ngettext(
        "%(n)s second factor goes, recovery codes among them.",
        "%(n)s second factors go, recovery codes among them.",
        count,
    )
    return text % {"n": count}


@action(description=_("Remove all second factors of these users"), permissions=["end"])
@confirmed(
    _("Remove all second factors of these users?"),
    yes=_("Remove the factors"),
    goes=_what_goes,
)
@method_decorator(reauthentication_required)  # type: ignore[arg-type]  # no answer
def remove_all_of_users(
    admin: OwnedAdmin, request: HttpRequest, queryset: QuerySet[Authenticator]
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


class ApprovalFilter(admin.SimpleListFilter):
    title = _("approval")
    parameter_name = "approved"

    def lookups(self, *args: Any) -> list[tuple[str, Any]]:
        return [(NOT_APPROVED, _("not approved"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Authenticator]
    ) -> QuerySet[Authenticator]:
        return unapproved(queryset) if self.value() == NOT_APPROVED else queryset


@admin.register(Authenticator)
class SecondFactorAdmin(OwnedAdmin):
    nothing_yet = _("Nobody has added a passkey or an authenticator app.")
    list_display = ("owner", "kind", "created", "last_used", "approved_by")
    labelled_on_phones = ("created", "last_used", "approved_by")
    list_filter = ("type", ApprovalFilter)
    list_select_related = ("user", "binding")
    search_fields = ("user__name",)
    search_help_text = _("Name of the user")
    ordering = ("-created_at", "-pk")
    fields = list_display
    actions = [remove_all_of_users]

    @display(description=_("second factor"))
    def kind(self, factor: Authenticator) -> str:
        return str(factor.get_type_display())

    @display(description=_("created"), ordering="created_at")
    def created(self, factor: Authenticator) -> str:
        return moment(factor.created_at)

    @display(description=_("last used"), ordering="last_used_at")
    def last_used(self, factor: Authenticator) -> str:
        return moment(factor.last_used_at)

    @display(description=_("approved by"))
    def approved_by(self, factor: Authenticator) -> str:
        binding = getattr(factor, "binding", None)
        if binding is None or not binding.approver:
            return gettext("Nobody yet")
        return str(binding.get_approver_display())

    def in_words(self, factor: Authenticator) -> str:
        return f"{factor.user} · {self.kind(factor)}"
