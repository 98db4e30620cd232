"""The settings form that an administrator posted, and how it is saved."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from authconfig.models import AuthenticationSettings
from authconfig.settings_form import SettingsForm
from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from pbxsite.administration.authentication import audited_form, cards, summary
from verification.sessions import factors, signed_in
from verification.sessions.reauthentication import reauthentication_fault

VERSION = "version"
OWN_PASSWORD = "own_password"  # noqa: S105
END_SESSIONS = "end_sessions"
REMOVE_FACTORS = "remove_factors"


def user_of(request: HttpRequest) -> PbxUser:
    assert isinstance(request.user, PbxUser)
    return request.user


def posted_form(
    request: HttpRequest, rules: AuthenticationSettings | None = None
) -> SettingsForm:
    """Return the form with what was posted; without a POST it shows what is stored."""
    return SettingsForm(
        request.POST if request.method == "POST" else None,
        instance=rules or AuthenticationSettings.load(),
        outside=audited_form.outside_facts(user_of(request)),
    )


def saved_form(request: HttpRequest) -> SettingsForm:
    """Save all or nothing, with the row locked from reading to writing.

    The form has errors if nothing was saved.
    """
    if form := _refused(request):
        return form
    try:
        with transaction.atomic():
            form = posted_form(request, _locked_rules())
            if form.is_valid() and _is_current(request, form):
                _save(request, form)
    except IntegrityError:
        form = posted_form(request)
        form.is_valid()
        form.add_error(None, _changed_meanwhile())
    return form


def version() -> str:
    """Return what tells a page that somebody else saved after it was opened."""
    return AuthenticationSettings.load().changed_at.isoformat()


def _refused(request: HttpRequest) -> SettingsForm | None:
    """Return the form unsaved if its sender has to show again who they are."""
    fault = reauthentication_fault(request, request.POST.get(OWN_PASSWORD, ""))
    if not fault:
        return None
    form = posted_form(request)
    form.is_valid()
    form.add_error(None, fault)
    return form


def _locked_rules() -> AuthenticationSettings:
    AuthenticationSettings.load()
    return AuthenticationSettings.objects.select_for_update().get(pk=1)


def _is_current(request: HttpRequest, form: SettingsForm) -> bool:
    current = form.instance.changed_at.isoformat()
    if request.POST.get(VERSION, current) == current:
        return True
    form.add_error(None, _changed_meanwhile())
    return False


def _changed_meanwhile() -> str:
    return _(
        "Somebody else has saved these settings since you opened this page. Nothing of"
        " yours was saved. Compare below what would change, then save again."
    )


def _save(request: HttpRequest, form: SettingsForm) -> None:
    actor, origin = user_of(request), origin_of(request)
    keys = audited_form.save(form, actor=actor, origin=origin)
    if not keys:
        messages.info(request, _("Nothing was changed."))
        return
    LogEntry.objects.log_actions(
        actor.pk,
        [form.instance],
        CHANGE,
        [{"changed": {"fields": keys}}],
        single_object=True,
    )
    labels = ", ".join(cards.name_of(key) for key in keys)
    messages.success(request, _("Saved: %(labels)s") % {"labels": labels})
    if "two_factor" in keys:
        _leave_nothing_unapproved(request)
    for name in form.lost_secrets:
        messages.warning(request, str(summary.LOST_SECRET[name]))


def _leave_nothing_unapproved(request: HttpRequest) -> None:
    """End and remove what began with a password alone, as far as it was chosen."""
    actor, origin = user_of(request), origin_of(request)
    if END_SESSIONS in request.POST:
        own = request.session.session_key or ""
        count = signed_in.end_never_approved(actor=actor, origin=origin, besides=own)
        messages.success(request, summary.sessions_ended(count))
    if REMOVE_FACTORS in request.POST:
        count = factors.remove_unapproved(actor=actor)
        messages.success(request, summary.factors_removed(count))
