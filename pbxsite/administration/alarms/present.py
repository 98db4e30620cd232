"""What is wrong at this moment."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.choices import Event
from authconfig.models import current_rules
from authconfig.sections import SETTINGS_PAGE
from authconfig.users.models import AuditEvent
from pbxsite.administration.alarms.mail_login import findings_of_login
from pbxsite.administration.alarms.models import Call
from pbxsite.administration.directory_runs.state import (
    SCIM_PAGE,
    SYNC_PAGE,
    SyncState,
    scim_state,
    sync_state,
)
from pbxsite.administration.findings import AlarmKind, Finding
from pbxsite.administration.queue.report import findings_of_mail

# A rejection is told once, and so is a later one.
LATELY = timedelta(hours=1)
LOG = "admin:users_auditevent_changelist"


def findings() -> list[Finding]:
    """Return what leaves the house: nobody need be looking at a page."""
    lately = timezone.now() - LATELY
    rejected = rejections(count_rejected(lately))
    sync = sync_state(current_rules())
    login = findings_of_login(current_rules())
    mail = (*findings_of_mail(), *login)
    users = (*unread_directory(sync), *untaken_users(scim_state()))
    return [*mail, *untold(), *rejected, *users]


def unread_directory(state: SyncState | None) -> list[Finding]:
    """Find what keeps the users from being as the directory has them."""
    if state is None or not state.alarm:
        return []
    return [Finding(AlarmKind.DIRECTORY, state.alarm, reverse(SYNC_PAGE))]


def untaken_users(state: SyncState | None) -> list[Finding]:
    """Find what keeps the users from being as a provider has them."""
    if state is None or not state.alarm:
        return []
    return [Finding(AlarmKind.SCIM, state.alarm, reverse(SCIM_PAGE))]


def untold() -> list[Finding]:
    """Find calls of the webhook that failed and are still to be made."""
    call = Call.objects.exclude(fault="").order_by("pk").first()
    if call is None:
        return []
    words = _("The webhook of alarms was not reached: %(fault)s")
    link = f"{reverse(SETTINGS_PAGE)}#section-alarms"
    return [Finding(AlarmKind.WEBHOOK, words % {"fault": call.fault}, link)]


def count_rejected(since: datetime) -> int:
    rejected = AuditEvent.objects.filter(event=Event.LOGIN_REJECTED, at__gt=since)
    return rejected.order_by().count()


def rejections(count: int) -> list[Finding]:
    if not count:
        return []
    words = ngettext(
        "%(count)d login was rejected by its user: somebody knows the password.",
        "%(count)d logins were rejected by their users: somebody knows the passwords.",
        count,
    )
    link = f"{reverse(LOG)}?event__exact={Event.LOGIN_REJECTED.value}"
    return [Finding(AlarmKind.REJECTED, words % {"count": count}, link)]
