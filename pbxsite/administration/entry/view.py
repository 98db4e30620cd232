"""The view "Who can log in": every user with what they have, and the plain answer."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.policy import UserFacts
from authconfig.users.models import PbxUser
from pbxsite.administration.cells import badge, because, mail_address, moment
from pbxsite.administration.entry import words
from pbxsite.administration.entry.answers import answer
from pbxsite.administration.entry.export import as_csv, as_json
from pbxsite.administration.entry.facts import (
    FACTS,
    facts_of,
    with_facts,
    with_windows_login,
)
from pbxsite.administration.entry.filters import (
    AccountFilter,
    EmailFilter,
    FactorFilter,
    MyAppsFilter,
    MyPbxFilter,
    PasswordFilter,
    ReasonFilter,
    census_of,
)
from pbxsite.administration.lists import GrowingList
from verification.password_links import invitations


class WhoCanLogIn(GrowingList, ModelAdmin):
    """A list beside that of users: it shows, and changes nothing."""

    list_display = (
        *("name", "myapps", "mypbx", "pbx_password", "directory", "account"),
        *("address", "factor", "last_seen"),
    )
    labelled_on_phones = list_display[1:]
    list_filter = (
        *(MyAppsFilter, MyPbxFilter, ReasonFilter, "is_active"),
        *(PasswordFilter, AccountFilter, EmailFilter, FactorFilter),
    )
    search_fields = ("name", "long_name", "email", "number")
    search_help_text = _("Name, long name, e-mail address or number")
    ordering = ("name_key",)
    list_fullwidth = True
    actions = None
    change_list_template = "admin/users/pbxuser/access.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_delete_permission = has_change_permission

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may change users may see them, though not change them here."""
        needed = ("users.view_pbxuser", "users.change_pbxuser")
        return any(request.user.has_perm(each) for each in needed)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PbxUser]:
        users = with_facts(super().get_queryset(request), current_rules())
        return with_windows_login(users)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = {
            "title": _("Who can log in"),
            "page_heading": _("Who can log in"),
            "closed": words.all_closed(census_of(request)),
            "can_invite": request.user.has_perm("users.change_pbxuser")
            and invitations.are_possible(),
        }
        page: HttpResponse = super().changelist_view(request, shown)
        return page

    def csv_view(self, request: HttpRequest) -> HttpResponse:
        headers = {"Content-Disposition": 'attachment; filename="who-can-log-in.csv"'}
        text = as_csv(self._chosen(request))
        return HttpResponse(text, "text/csv; charset=utf-8", headers=headers)

    def json_view(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse(list(map(as_json, self._chosen(request))), safe=False)

    def _chosen(self, request: HttpRequest) -> QuerySet[PbxUser]:
        """Return the users that the search and the filters leave."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found: QuerySet[PbxUser] = self.get_changelist_instance(request).get_queryset(
            request
        )
        return found

    @display(description="myApps")
    def myapps(self, user: PbxUser) -> SafeString:
        return _answer(user, Kind.MYAPPS)

    @display(description="myPBX")
    def mypbx(self, user: PbxUser) -> SafeString:
        return _answer(user, Kind.MYPBX)

    @display(description=_("PBX password"))
    def pbx_password(self, user: PbxUser) -> str:
        return words.is_there(fact=_facts(user).has_password)

    @display(description=_("Windows login"))
    def directory(self, user: PbxUser) -> str:
        return moment(user.windows_login)  # type: ignore[attr-defined]

    @display(description=_("OAuth2 account"))
    def account(self, user: PbxUser) -> str:
        return words.is_there(fact=_facts(user).has_account)

    @display(description=_("e-mail address"), ordering="email")
    def address(self, user: PbxUser) -> str:
        return mail_address(user.email)

    @display(description=_("second factor"))
    def factor(self, user: PbxUser) -> str:
        return words.factor(_facts(user))

    @display(description=_("last login"), ordering="last_login")
    def last_seen(self, user: PbxUser) -> str:
        return moment(user.last_login)


def _facts(user: PbxUser) -> UserFacts:
    return facts_of(getattr(user, FACTS))


def _answer(user: PbxUser, kind: Kind) -> SafeString:
    """Give the reason once, where it is the same for both."""
    found = answer(current_rules(), getattr(user, FACTS))
    if not found.of(kind):
        return badge(words.plain(found, kind), "success")
    if kind is Kind.MYPBX and found.mypbx == found.myapps:
        return badge(gettext("no"), "danger")
    return because(gettext("no"), words.why_not(found, kind))
