"""The actions of a user's page: each asks first, and an old login for its password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from allauth.core.exceptions import ReauthenticationRequired
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from authconfig import lockout
from authconfig.choices import Event
from authconfig.clients.choices import Kind
from authconfig.models import current_rules
from authconfig.sync.present import (
    is_synced,
    leave_directory,
    note_deactivated_here,
)
from authconfig.users import audit
from authconfig.users.audit import origin_of
from authconfig.users.changes import end_sessions
from authconfig.users.models import PbxUser
from pbxsite.administration.entry.answers import answer_for
from pbxsite.administration.entry.words import why_not
from pbxsite.administration.users.hub import personal_data
from pbxsite.administration.users.identities import USER_PAGE
from verification.sessions.factors import remove_all
from verification.sessions.reauthentication import is_recently_authenticated

Words = str | Promise
USER_LIST = "admin:users_pbxuser_changelist"


@dataclass(frozen=True)
class HubAction:
    """`rights`: beside the right to change users. `refusal`: why it cannot be now.

    `perform` returns what to say, or a file. `more` says what this very user loses.
    `is_way`: the button leads a way on, and harms nothing. `is_button`: the user's page
    has a button for it; another page leads to the others.
    """

    key: str
    words: Words
    question: Words
    consequences: tuple[Words, ...]
    rights: tuple[str, ...]
    perform: Callable[[HttpRequest, PbxUser], str | HttpResponse]
    refusal: Callable[[HttpRequest, PbxUser], str] = lambda _request, _user: ""
    more: Callable[[PbxUser], Iterator[str]] = lambda _user: iter(())
    is_way: bool = False
    is_button: bool = True

    @property
    def name(self) -> str:
        return f"users_pbxuser_{self.key.replace('-', '_')}"


@dataclass(frozen=True)
class Offered:
    words: Words
    url: str


def _end_all(request: HttpRequest, user: PbxUser) -> str:
    own = request.session.session_key or "" if user == request.user else ""
    count = end_sessions([user], besides=own)
    _record(request, Event.SESSION_ENDED, user, f"all: {count}")
    text = ngettext("%(n)d session ended.", "%(n)d sessions ended.", count)
    return text % {"n": count}


def _reset_factors(request: HttpRequest, user: PbxUser) -> str:
    assert isinstance(request.user, PbxUser)
    if not remove_all(user, actor=request.user):
        return gettext("The user had no second factor.")
    return gettext("The second factors were removed; the user is told by e-mail.")


def _deactivate(request: HttpRequest, user: PbxUser) -> str:
    if not PbxUser.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        return gettext("The user was inactive already.")
    note_deactivated_here(user)
    count = end_sessions([user])
    _record(request, Event.USER_CHANGED, user, "is_active: on → off")
    text = ngettext(
        "The user was deactivated, and %(n)d session ended.",
        "The user was deactivated, and %(n)d sessions ended.",
        count,
    )
    return text % {"n": count}


def _leave_directory(request: HttpRequest, user: PbxUser) -> str:
    leave_directory(user)
    _record(request, Event.USER_CHANGED, user, "directory: taken from it")
    return gettext("The user is no longer from the directory.")


def _is_local(_request: HttpRequest, user: PbxUser) -> str:
    if is_synced(user):
        return ""
    return gettext("The user is not from the directory.")


def _record(request: HttpRequest, event: Event, user: PbxUser, detail: str) -> None:
    origin = origin_of(request)
    audit.record(event, user=user, actor=request.user, origin=origin, detail=detail)


def _no_end(request: HttpRequest, user: PbxUser) -> str:
    if user == request.user:
        return gettext("You cannot deactivate yourself. Ask another administrator.")
    if not user.is_active:
        return gettext("The user was inactive already.")
    return lockout.last_one() if lockout.leaves_nobody([user]) else ""


def _without_factors(user: PbxUser) -> Iterator[str]:
    """Say whether the user could log in any more."""
    rules = current_rules()
    after = answer_for(rules, user, has_factor=False, has_counting_factor=False)
    if after.myapps:
        yield gettext("Then the user cannot log in to myApps: %(why)s.") % {
            "why": why_not(after, Kind.MYAPPS)
        }


ERASE = HubAction(
    "erase",
    _("Delete and erase"),
    _("Delete %(user)s, and erase the name in the audit log?"),
    (
        _("This cannot be undone. The user can no longer log in, at once."),
        _(
            "In the audit log and in the history of the settings, digests take the"
            " place of the name, the address and the browser."
        ),
    ),
    personal_data.ERASE_RIGHTS,
    personal_data.erase,
    personal_data.no_erasure,
    personal_data.what_goes,
    is_button=False,
)
ACTIONS = (
    HubAction(
        "end-all",
        _("End all sessions"),
        _("End all sessions of %(user)s?"),
        (
            _("Whoever uses them has to log in again, in clients too."),
            _("Logins that wait for an approval end as well."),
        ),
        ("usersessions.change_usersession",),
        _end_all,
    ),
    HubAction(
        "reset-factors",
        _("Reset second factors"),
        _("Remove all second factors of %(user)s?"),
        (
            _("Passkeys, the authenticator app and recovery codes are gone for good."),
            _("The user is told by e-mail."),
        ),
        ("mfa.change_authenticator",),
        _reset_factors,
        more=_without_factors,
    ),
    HubAction(
        "deactivate",
        _("Deactivate"),
        _("Deactivate %(user)s?"),
        (
            _("The user can no longer log in, and all sessions end at once."),
            _("Nothing is deleted: “active” on the user's page brings the user back."),
        ),
        ("users.change_pbxuser",),
        _deactivate,
        _no_end,
    ),
    HubAction(
        "export-data",
        _("Download data"),
        _("Download all data of %(user)s?"),
        (
            _(
                "A JSON file with all that this site keeps of the user: for them to"
                " have, and nobody else."
            ),
            _("It holds no password, no key and no recording."),
            _("The audit log notes who downloaded it."),
        ),
        personal_data.EXPORT_RIGHTS,
        personal_data.export,
        is_way=True,
    ),
    ERASE,
    HubAction(
        "leave-directory",
        _("Take from the directory"),
        _("Take %(user)s from the directory?"),
        (
            _("No run changes or deactivates the user any more."),
            _("All fields can be changed here."),
            _(
                "If an entry of the directory has the user's name, a preview offers to"
                " make the two one again."
            ),
        ),
        ("users.change_pbxuser",),
        _leave_directory,
        _is_local,
    ),
)


def actions_for(request: HttpRequest, user: PbxUser) -> Iterator[Offered]:
    for each in ACTIONS:
        if each.is_button and _may(request, user, each):
            yield Offered(each.words, reverse(f"admin:{each.name}", args=[user.pk]))


def _may(request: HttpRequest, user: PbxUser, action: HubAction) -> bool:
    return request.user.has_perms(action.rights) and not action.refusal(request, user)


class HubActionsMixin:
    admin_site: admin.AdminSite

    def get_urls(self) -> list[URLPattern]:
        asking = require_http_methods(["GET", "HEAD", "POST"])
        own = [
            path(
                f"<int:pk>/{each.key}/",
                self.admin_site.admin_view(asking(partial(self.act_view, action=each))),
                name=each.name,
            )
            for each in ACTIONS
        ]
        urls: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        return [*own, *urls]

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Offer beside the deletion the one that leaves no name behind."""
        user = self.get_object(request, unquote(object_id))  # type: ignore[attr-defined]
        shown = dict(extra_context or {})
        if user and _may(request, user, ERASE):
            shown["erase_url"] = reverse(f"admin:{ERASE.name}", args=[user.pk])
        page: HttpResponse = super().delete_view(request, object_id, shown)  # type: ignore[misc]
        return page

    def act_view(
        self, request: HttpRequest, pk: int, action: HubAction
    ) -> HttpResponse:
        user = get_object_or_404(PbxUser, pk=pk)
        may_change = self.has_change_permission(request, user)  # type: ignore[attr-defined]
        if not (may_change and request.user.has_perms(action.rights)):
            raise PermissionDenied
        if not is_recently_authenticated(request):
            raise ReauthenticationRequired
        if request.method != "POST":
            return self._question_of_action(request, user, action)
        return _performed(request, user, action)

    def _question_of_action(
        self, request: HttpRequest, user: PbxUser, action: HubAction
    ) -> HttpResponse:
        context: dict[str, Any] = self.admin_site.each_context(request) | {
            "title": str(action.question) % {"user": user.name},
            "way" if action.is_way else "yes": action.words,
            "opts": PbxUser._meta,
            "rows": [*action.consequences, *action.more(user)],
            "back_url": reverse(USER_PAGE, args=[user.pk]),
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)


def _performed(request: HttpRequest, user: PbxUser, action: HubAction) -> HttpResponse:
    with transaction.atomic():
        # What was true for the question may be no longer.
        refusal = action.refusal(request, user)
        done = refusal or action.perform(request, user)
    if isinstance(done, HttpResponse):
        return done
    if refusal:
        messages.error(request, refusal)
    else:
        messages.success(request, done)
    is_there = PbxUser.objects.filter(pk=user.pk).exists()
    return redirect(USER_PAGE, user.pk) if is_there else redirect(USER_LIST)
