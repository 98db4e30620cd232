"""How the last run ended and how long ago, for the overview and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from authconfig.models import AuthenticationSettings
from authconfig.settings_fields.attributes import DEFAULT
from authconfig.settings_fields.synchronisation import DEFAULT_FILTER
from authconfig.sync.choices import OVER, RunState, Source
from authconfig.sync.models import ScimKey, SyncRun
from authconfig.sync.scim import carrying
from authconfig.sync.scim.told import everybody
from authconfig.sync.words import trouble

SYNC_PAGE = "admin:authconfig_authenticationsettings_sync"
SCIM_PAGE = "admin:authconfig_authenticationsettings_scim"
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


def scim_state() -> SyncState | None:
    """Return how users by SCIM stand; None where no provider writes any."""
    told, is_open = everybody().count(), ScimKey.current() is not None
    if not (told or is_open):
        return None
    if not carrying.is_confirmed():
        return _unconfirmed(told)
    kept, refused = carrying.kept_back().count(), carrying.refused().count()
    last = _last_run(Source.SCIM)
    failed = trouble(last) if last and last.state == RunState.FAILED else ""
    return SyncState(_told(told), failed or _kept(kept) or _refused(refused))


def _unconfirmed(told: int) -> SyncState:
    if not told:
        return SyncState(_("The provider has told of nobody yet."), "")
    words = _(
        "Nothing has come yet of what the provider tells: look at a preview, then"
        " confirm the first run."
    )
    return SyncState(_told(told), words)


def _told(count: int) -> str:
    return ngettext(
        "The provider tells of %(n)d user.",
        "The provider tells of %(n)d users.",
        count,
    ) % {"n": count}


def _kept(count: int) -> str:
    words = ngettext(
        "%(n)d user whom the provider has let go is still active: it would have been"
        " too many at once. If the provider is right, confirm it.",
        "%(n)d users whom the provider has let go are still active: it would have been"
        " too many at once. If the provider is right, confirm it.",
        count,
    )
    return words % {"n": count} if count else ""


def _refused(count: int) -> str:
    words = ngettext(
        "%(n)d user of the provider waits for your decision. A preview says why.",
        "%(n)d users of the provider wait for your decision. A preview says why.",
        count,
    )
    return words % {"n": count} if count else ""


def _last_run(source: Source = Source.DIRECTORY) -> SyncRun | None:
    over = SyncRun.objects.filter(source=source, is_preview=False, state__in=OVER)
    return over.order_by("-made_at").first()


def _sentence(last: SyncRun) -> str:
    assert last.ended_at
    # "0 minutes ago" reads like a fault.
    ended_at = min(last.ended_at, timezone.now() - timedelta(minutes=1))
    words = {"age": timesince(ended_at)}
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
