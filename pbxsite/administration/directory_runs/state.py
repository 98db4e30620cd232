"""How the last run ended and how long ago, for the overview and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from authconfig.models import AuthenticationSettings
from authconfig.settings_fields.attributes import DEFAULT
from authconfig.settings_fields.synchronisation import DEFAULT_FILTER
from authconfig.sync.choices import OVER, RunState
from authconfig.sync.models import SyncRun
from authconfig.sync.words import trouble

SYNC_PAGE = "admin:authconfig_authenticationsettings_sync"
# A run may be late by a sweep, and takes its time.
LATE = timedelta(minutes=10)


@dataclass(frozen=True)
class Preset:
    """What usually fits a kind of directory."""

    name: object
    filter: str
    attributes: str


PRESETS = (
    Preset(
        "Active Directory",
        "(&(objectCategory=person)(objectClass=user))",
        "name=sAMAccountName, long_name=displayName, email=mail,"
        " number=telephoneNumber",
    ),
    Preset(
        "OpenLDAP",
        "(objectClass=inetOrgPerson)",
        "name=uid, long_name=displayName|cn, email=mail, number=telephoneNumber,"
        " language=preferredLanguage",
    ),
    Preset(
        "389 / FreeIPA",
        "(&(objectClass=person)(uid=*))",
        "name=uid, long_name=displayName|cn, email=mail, number=telephoneNumber,"
        " language=preferredLanguage",
    ),
    Preset(gettext_lazy("any directory"), DEFAULT_FILTER, DEFAULT),
)


@dataclass(frozen=True)
class SyncState:
    """`alarm` says what is wrong with the synchronisation; "" if nothing is."""

    sentence: str
    alarm: str


def sync_state(rules: AuthenticationSettings) -> SyncState | None:
    """Return None where users were never read, and need not be."""
    last = _last_run()
    if last is None:
        return SyncState(_("No run yet."), "") if rules.directory_sync else None
    sentence = _sentence(last)
    alarm = trouble(last) if rules.directory_sync or last.stop else ""
    return SyncState(sentence, alarm or _overdue(rules, last))


def _last_run() -> SyncRun | None:
    over = SyncRun.objects.filter(is_preview=False, state__in=OVER)
    return over.order_by("-made_at").first()


def _sentence(last: SyncRun) -> str:
    assert last.ended_at
    words = {"age": timesince(last.ended_at)}
    if last.state == RunState.FAILED:
        return _("The last run failed %(age)s ago.") % words
    if last.state == RunState.STOPPED:
        return _("The last run stopped %(age)s ago.") % words
    return _("Last run %(age)s ago.") % words


def _overdue(rules: AuthenticationSettings, last: SyncRun) -> str:
    limit = timedelta(minutes=rules.directory_sync_minutes) + LATE
    if not rules.directory_sync or last.made_at > timezone.now() - limit:
        return ""
    return _(
        "The directory has not been read for %(age)s. Does a worker run, and the"
        " scheduler?"
    ) % {"age": timesince(last.made_at)}
