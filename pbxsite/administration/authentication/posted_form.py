"""The settings form that an administrator posted, and how it is saved."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import IntegrityError, transaction
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from authconfig.models import AuthenticationSettings
from authconfig.sections import FIELDS, LOST_SECRET
from authconfig.users import settings_history
from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from pbxsite.administration.authentication import audited_form, cards, summary
from pbxsite.administration.authentication.kept import entries
from pbxsite.administration.authentication.kept.merging import Merged, merge
from pbxsite.administration.authentication.kept.page_form import PageForm
from pbxsite.administration.authentication.kept.values import value_of
from verification.sessions import factors, signed_in
from verification.sessions.reauthentication import reauthentication_fault

RESTORE = "restore"
OWN_PASSWORD = "own_password"  # noqa: S105
END_SESSIONS = "end_sessions"
REMOVE_FACTORS = "remove_factors"


def user_of(request: HttpRequest) -> PbxUser:
    assert isinstance(request.user, PbxUser)
    return request.user


def posted_form(
    request: HttpRequest, rules: AuthenticationSettings | None = None
) -> PageForm:
    """Return the form with what was posted, and what others have saved meanwhile.

    Without a POST it shows what is stored.
    """
    return filled_form(
        request, request.POST if request.method == "POST" else None, rules
    )


def filled_form(
    request: HttpRequest,
    data: QueryDict | None,
    rules: AuthenticationSettings | None = None,
) -> PageForm:
    rules = rules or AuthenticationSettings.load()
    return PageForm(
        Merged() if data is None else merge(data, rules),
        instance=rules,
        outside=audited_form.outside_facts(user_of(request)),
    )


def opened_form(request: HttpRequest) -> PageForm:
    """Return the stored values; or what was entered before a login, or is restored."""
    entered = entries.taken(request)
    form = filled_form(request, entered)
    if entered is None:
        _restore(request, form)
        return form
    form.is_valid()
    form.notices.append(_kept_over_login())
    return form


def saved_form(request: HttpRequest) -> PageForm:
    """Save all or nothing, with the row locked from reading to writing.

    The form has errors if nothing was saved.
    """
    if form := _refused(request):
        return form
    try:
        with transaction.atomic():
            form = posted_form(request, _locked_rules())
            if form.is_valid():
                _save(request, form)
    except IntegrityError:
        form = posted_form(request)
        form.is_valid()
        form.add_error(None, _changed_meanwhile())
    return form


def _kept_over_login() -> str:
    return _(
        "You were no longer logged in, so nothing was saved. What you entered stands"
        " here again, without passwords and secrets. Look it over, then save."
    )


def _restore(request: HttpRequest, form: PageForm) -> None:
    """Fill in what a field was before a change; saving it is up to the reader."""
    change = settings_history.find(request.GET.get(RESTORE, ""))
    if change is None or change.field not in FIELDS or change.is_secret:
        return
    form.initial[change.field] = value_of(change.field, change.before)
    form.notices.append(
        _("Filled in again, and not saved yet: %(label)s")
        % {"label": cards.name_of(change.field)}
    )


def _refused(request: HttpRequest) -> PageForm | None:
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


def _changed_meanwhile() -> str:
    return _(
        "Somebody else has saved these settings since you opened this page. Nothing of"
        " yours was saved. Compare below what would change, then save again."
    )


def _save(request: HttpRequest, form: PageForm) -> None:
    actor, origin = user_of(request), origin_of(request)
    keys = audited_form.save(form, actor=actor, origin=origin)
    if not keys:
        _say_nothing_is_new(request, form)
        return
    LogEntry.objects.log_actions(
        actor.pk,
        [form.instance],
        CHANGE,
        [{"changed": {"fields": keys}}],
        single_object=True,
    )
    _say(request, messages.SUCCESS, _("Saved: %(labels)s"), keys)
    if form.merged.theirs:
        _say(
            request,
            messages.INFO,
            _("Changed by others meanwhile, and kept: %(labels)s"),
            form.merged.theirs,
        )
    if "two_factor" in keys:
        _leave_nothing_unapproved(request)
    for name in form.lost_secrets:
        messages.warning(request, str(LOST_SECRET[name]))


def _say_nothing_is_new(request: HttpRequest, form: PageForm) -> None:
    """A form that is sent twice has saved its values the first time."""
    if form.merged.same:
        _say(request, messages.SUCCESS, _("Saved: %(labels)s"), form.merged.same)
    else:
        messages.info(request, _("Nothing was changed."))


def _say(request: HttpRequest, level: int, sentence: str, keys: list[str]) -> None:
    labels = ", ".join(cards.name_of(key) for key in keys)
    messages.add_message(request, level, sentence % {"labels": labels})


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
