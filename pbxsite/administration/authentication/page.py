"""The admin's one page "Authentication", which decides who may log in and how."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any
from uuid import UUID

from allauth.core.ratelimit import consume
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from unfold.admin import ModelAdmin

from authconfig.choices import Origin
from authconfig.counts import bounded_count
from authconfig.models import AuthenticationSettings
from authconfig.oauth2.provider import redirect_uri
from authconfig.sections import SETTINGS_PAGE
from authconfig.settings_form import SettingsForm
from authconfig.users.audit import origin_of
from authconfig.users.changes import count_without_email, without_factor
from authconfig.users.models import PbxUser
from pbxsite.administration.authentication import (
    account_trials,
    cards,
    changes,
    method_trials,
    summary,
    voicemail_key,
)
from pbxsite.administration.authentication.account_trials import RECIPIENT
from pbxsite.administration.authentication.method_trials import (
    NETLOGON_PASSWORD,
    NETLOGON_USER,
)
from pbxsite.administration.queue.report import paused_words
from verification.mail.models import AccountTrial
from verification.mail.operation import actions
from verification.mail.operation.outcomes import last_outcomes
from verification.sessions import signed_in
from verification.sessions.reauthentication import (
    can_reauthenticate_by_password,
    reauthentication_fault,
    seconds_left,
)
from verification.voicemail import keys as voicemailkeys

TEMPLATE = "admin/authconfig/authenticationsettings/page.html"
STATUS = "admin:authconfig_authenticationsettings_test_status"
VERSION = "version"
OWN_PASSWORD = "own_password"  # noqa: S105
END_SESSIONS = "end_sessions"
View = Callable[..., HttpResponseBase]


@admin.register(AuthenticationSettings)
class SettingsPage(ModelAdmin):
    """One row, so one page: where the list would be, and with no add or delete."""

    offered_rights = ()
    # Whoever decides how people log in can log in as anybody.
    own_rights = {
        "change_authenticationsettings": gettext_lazy(
            "change, which amounts to all rights"
        )
    }

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.has_change_permission(request, obj))

    def get_urls(self) -> list[URLPattern]:
        own: list[tuple[str, View, str]] = [
            ("preview/", _preview, "preview"),
            ("send-test/", _send_test, "send_test"),
            ("send-test/<uuid:public_id>/", _test_status, "test_status"),
            ("test-netlogon/", _test_netlogon, "test_netlogon"),
            ("test-oauth2/", _test_oauth2, "test_oauth2"),
            ("voicemail-key/make/", voicemail_key.make, "make_voicemail_key"),
            (
                "voicemail-key/revoke/",
                voicemail_key.revoke,
                "revoke_voicemail_key",
            ),
        ]
        prefix = "authconfig_authenticationsettings"
        urls = [
            path(route, self._page(view), name=f"{prefix}_{name}")
            for route, view, name in own
        ]
        return [*urls, *super().get_urls()]

    def _page(self, view: View) -> View:
        """Make a page of the admin, for those who may change the settings."""

        @wraps(view)
        def checked(
            request: HttpRequest, *args: Any, **kwargs: Any
        ) -> HttpResponseBase:
            self._check_permission(request)
            return view(request, *args, **kwargs)

        page: View = self.admin_site.admin_view(checked)
        return page

    def change_view(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        return redirect(SETTINGS_PAGE)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._check_permission(request)
        if request.method != "POST":
            return self._render(request, _form(request))
        form = _refused(request) or self._saved(request)
        if form.errors:
            return self._render(request, form)
        return redirect(SETTINGS_PAGE)

    def _saved(self, request: HttpRequest) -> SettingsForm:
        """Save all or nothing, with the row locked from reading to writing."""
        try:
            with transaction.atomic():
                form = _form(request, _locked_row())
                if form.is_valid() and _is_present(request, form):
                    self._save(request, form)
        except IntegrityError:
            form = _form(request)
            form.is_valid()
            form.add_error(None, _changed_meanwhile())
        return form

    def _save(self, request: HttpRequest, form: SettingsForm) -> None:
        actor = _user(request)
        origin = origin_of(request)
        keys = changes.save(form, actor=actor, origin=origin)
        labels = ", ".join(cards.name_of(key) for key in keys)
        if not keys:
            messages.info(request, _("Nothing was changed."))
            return
        self.log_change(request, form.instance, [{"changed": {"fields": keys}}])
        messages.success(request, _("Saved: %(labels)s") % {"labels": labels})
        if "two_factor" in keys and END_SESSIONS in request.POST:
            self._end_sessions(request, actor, origin)
        for name in form.lost_secrets:
            messages.warning(request, str(summary.LOST_SECRET[name]))

    def _end_sessions(
        self, request: HttpRequest, actor: PbxUser, origin: Origin
    ) -> None:
        own = request.session.session_key or ""
        count = signed_in.end_never_approved(actor=actor, origin=origin, besides=own)
        messages.success(request, summary.sessions_ended(count))

    def _render(self, request: HttpRequest, form: SettingsForm) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": _("Authentication"),
            "form": form,
            "cards": cards.cards(form),
            "types": cards.type_options(form),
            "conditions": cards.conditions(form, form.stored),
            "field_faults": _field_faults(form),
            "version": _version(),
            "paused": paused_words() if actions.current_pause() else "",
            "outcomes": last_outcomes(),
            "redirect_uri": redirect_uri(),
            "voicemail_key": voicemailkeys.current_key(),
            "voicemail_address": voicemail_key.address(),
            "recipient": request.POST.get(RECIPIENT, _user(request).email),
            "test_user": _user(request).name,
            "without_email": _without_email(),
            "without_factor": _without_factor(),
            "never_approved": _never_approved(request, form.stored),
            "reauthentication": _reauthentication(request),
        }
        return TemplateResponse(request, TEMPLATE, context)

    def _check_permission(self, request: HttpRequest) -> None:
        if not self.has_change_permission(request):
            raise PermissionDenied


def _refused(request: HttpRequest) -> SettingsForm | None:
    """Return the form unsaved if its sender has to show again who he is."""
    fault = reauthentication_fault(request, request.POST.get(OWN_PASSWORD, ""))
    if not fault:
        return None
    form = _form(request)
    form.is_valid()
    form.add_error(None, fault)
    return form


def _reauthentication(request: HttpRequest) -> dict[str, Any]:
    return {
        "field": OWN_PASSWORD,
        "asked_in_ms": int(seconds_left(request) * 1000),
        "by_password": can_reauthenticate_by_password(_user(request)),
        "again_url": f"{reverse('account_login_again')}?next={reverse(SETTINGS_PAGE)}",
    }


@require_POST
def _preview(request: HttpRequest) -> JsonResponse:
    """Say what saving the form would change, without saving it."""
    form = _form(request)
    form.is_valid()
    candidate = form.candidate()
    facts = summary.Facts(count_without_email(), _count_without_factor())
    return JsonResponse(
        {
            "sections": summary.consequences(form.stored, candidate, facts),
            "lost": {n: str(summary.LOST_SECRET[n]) for n in form.lost_secrets},
            "changed": [cards.name_of(key) for key in form.changed_keys()],
            "refusal": form.refusal._asdict() if form.refusal else None,
            "conditions": [
                condition.is_met for condition in cards.conditions(form, candidate)
            ],
        }
    )


@require_POST
def _send_test(request: HttpRequest) -> JsonResponse:
    if account_trials.is_too_often():
        wait = _("10 tests a minute are enough. Please wait a minute, then try again.")
        return JsonResponse({"message": wait}, status=HTTPStatus.TOO_MANY_REQUESTS)
    form, recipient = _form(request), request.POST.get(RECIPIENT, "").strip()
    if faults := account_trials.faults_of(form, recipient):
        return JsonResponse({"faults": faults}, status=HTTPStatus.BAD_REQUEST)
    test = account_trials.request(form, recipient, _user(request))
    url = reverse(STATUS, args=[test.public_id])
    return JsonResponse({"url": url, **account_trials.status(test)})


@require_safe
def _test_status(request: HttpRequest, public_id: UUID) -> JsonResponse:
    mine = AccountTrial.objects.filter(requested_by=_user(request))
    return JsonResponse(
        account_trials.status(get_object_or_404(mine, public_id=public_id))
    )


@require_POST
def _test_netlogon(request: HttpRequest) -> HttpResponseBase:
    form, user = _form(request), request.POST.get(NETLOGON_USER, "").strip()
    if faults := method_trials.netlogon_faults(form, user):
        return JsonResponse({"faults": faults}, status=HTTPStatus.BAD_REQUEST)
    if not consume(request, action="test_netlogon", user=request.user):
        wait = _("3 tests a minute are enough. Please wait a minute, then try again.")
        return JsonResponse({"message": wait}, status=HTTPStatus.TOO_MANY_REQUESTS)
    password = request.POST.get(NETLOGON_PASSWORD, "")
    return method_trials.netlogon(form, user, password, _user(request))


@require_POST
def _test_oauth2(request: HttpRequest) -> HttpResponseBase:
    form = _form(request)
    if faults := method_trials.oauth2_faults(form):
        return JsonResponse({"faults": faults}, status=HTTPStatus.BAD_REQUEST)
    return method_trials.oauth2(form, _user(request))


def _form(
    request: HttpRequest, row: AuthenticationSettings | None = None
) -> SettingsForm:
    return SettingsForm(
        request.POST if request.method == "POST" else None,
        instance=row or AuthenticationSettings.load(),
        outside=changes.outside_facts(_user(request)),
    )


def _user(request: HttpRequest) -> PbxUser:
    assert isinstance(request.user, PbxUser)
    return request.user


def _locked_row() -> AuthenticationSettings:
    AuthenticationSettings.load()
    return AuthenticationSettings.objects.select_for_update().get(pk=1)


def _version() -> str:
    """What tells a page that somebody else has saved since it was opened."""
    return AuthenticationSettings.load().changed_at.isoformat()


def _is_present(request: HttpRequest, form: SettingsForm) -> bool:
    present = form.instance.changed_at.isoformat()
    if request.POST.get(VERSION, present) == present:
        return True
    form.add_error(None, _changed_meanwhile())
    return False


def _changed_meanwhile() -> str:
    return _(
        "Somebody else has saved these settings since you opened this page. Nothing of"
        " yours was saved. Compare below what would change, then save again."
    )


def _without_email() -> str:
    count = count_without_email()
    return summary.without_email(count) if count else ""


def _count_without_factor() -> int:
    return bounded_count(without_factor(PbxUser.objects.filter(is_active=True)))


def _without_factor() -> str:
    count = _count_without_factor()
    return summary.without_factor(count) if count else ""


def _never_approved(request: HttpRequest, row: AuthenticationSettings) -> str:
    """Offer to end these sessions; once two-factor is on, there is nothing to offer."""
    if row.two_factor:
        return ""
    own = request.session.session_key or ""
    count = bounded_count(signed_in.never_approved(besides=own))
    return summary.never_approved(count) if count else ""


def _field_faults(form: SettingsForm) -> list[dict[str, str]]:
    """Return every fault with its field's id and label, in the page's order."""
    return [
        {
            "id": bound.auto_id,
            "label": cards.name_of(bound.name),
            "text": fault,
        }
        for bound in form
        for fault in form.faults.get(bound.name, [])
    ]
