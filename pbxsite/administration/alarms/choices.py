"""The words of the alarms."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class AlarmState(TextChoices):
    """A suspected alarm is told if it lasts; one that is over stays as history."""

    SUSPECTED = "suspected", _("Suspected")
    TOLD = "told", _("Told")
    OVER = "over", _("Over")


class News(TextChoices):
    """What a message tells; the values stand in what the webhook gets."""

    BEGAN = "alarm.began", _("Alarm")
    OVER = "alarm.over", _("Alarm is over")
    TEST = "alarm.test", _("Test of the alarms")
