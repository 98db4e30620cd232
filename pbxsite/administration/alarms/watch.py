"""When an alarm begins and when it is over: each is told once, whoever looks.

Several processes look; the guarded updates of an alarm's row let one of them tell. What
comes and goes makes no storm: an alarm is told when it has lasted, and it is over when
it has stayed away.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone, translation

from pbxsite.administration.alarms import calls, mails
from pbxsite.administration.alarms.choices import AlarmState, News
from pbxsite.administration.alarms.models import Alarm
from pbxsite.administration.alarms.present import findings
from pbxsite.administration.findings import Finding

# A restart of the site is over in this time.
TOLD_AFTER = timedelta(minutes=1)
OVER_AFTER = timedelta(minutes=5)
# Nobody has looked for so long: what was suspected then says nothing any more.
STALE_AFTER = timedelta(minutes=1)
REMEMBERED = timedelta(days=30)


def look() -> list[Finding]:
    """Look once, and tell what is new; return what is wrong now."""
    with translation.override(settings.LANGUAGE_CODE):
        found = findings()
        note(found, timezone.now())
    return found


def note(found: Iterable[Finding], now: datetime) -> None:
    suspected = Alarm.objects.filter(state=AlarmState.SUSPECTED)
    suspected.filter(seen_at__lt=now - STALE_AFTER).delete()
    for each in found:
        _see(each, now)
    lasting = suspected.filter(began_at__lte=now - TOLD_AFTER, seen_at__gte=now)
    for alarm in lasting:
        _begin(alarm)
    told = Alarm.objects.filter(state=AlarmState.TOLD)
    for alarm in told.filter(seen_at__lte=now - OVER_AFTER):
        _end(alarm, now)


def forget_old() -> None:
    Alarm.objects.filter(over_at__lt=timezone.now() - REMEMBERED).delete()


def _see(found: Finding, now: datetime) -> None:
    about = found.about[:300]
    rows = Alarm.objects.filter(kind=found.kind, about=about)
    news = {"sentence": found.sentence, "link": found.link[:300], "seen_at": now}
    if rows.exclude(state=AlarmState.OVER).update(**news):
        return
    try:
        with transaction.atomic():
            Alarm.objects.create(kind=found.kind, about=about, began_at=now, **news)
    except IntegrityError:
        return  # another process has just seen it


@transaction.atomic
def _begin(alarm: Alarm) -> None:
    rows = Alarm.objects.filter(pk=alarm.pk, state=AlarmState.SUSPECTED)
    if rows.update(state=AlarmState.TOLD):
        _tell(alarm, News.BEGAN)


@transaction.atomic
def _end(alarm: Alarm, now: datetime) -> None:
    rows = Alarm.objects.filter(pk=alarm.pk, state=AlarmState.TOLD)
    if rows.filter(seen_at=alarm.seen_at).update(state=AlarmState.OVER, over_at=now):
        alarm.over_at = now
        _tell(alarm, News.OVER)


def _tell(alarm: Alarm, news: News) -> None:
    mails.tell(alarm, news)
    calls.tell(alarm, news)
