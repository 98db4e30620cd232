"""Alarms by e-mail: a kind of mail in the site's own queue."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from authconfig.models import AuthenticationSettings, current_rules
from authconfig.settings_fields.alarms import split_recipients
from pbxsite.administration.alarms.choices import News
from pbxsite.administration.alarms.models import Alarm, AlarmMail
from verification.mail import kinds
from verification.mail.kinds import MailKind
from verification.mail.models import OutgoingEmail
from verification.mail.queue import enqueue_to


def tell(alarm: Alarm, news: News) -> None:
    rules = current_rules()
    if has_account(rules):
        send(split_recipients(rules.alarm_recipients), news, alarm)


def has_account(rules: AuthenticationSettings) -> bool:
    return bool(rules.smtp_server and rules.smtp_email_address)


@transaction.atomic
def send(addresses: list[str], news: News, alarm: Alarm | None = None) -> None:
    language = get_language() or settings.LANGUAGE_CODE
    for address in addresses:
        mail = enqueue_to(ALARM, address, language=language)
        AlarmMail.objects.create(mail=mail, news=news, alarm=alarm)


def _context(mail: OutgoingEmail) -> dict[str, Any]:
    about = mail.alarm_mail
    alarm = about.alarm
    is_open = about.news == News.BEGAN
    path = alarm.link if alarm and is_open else reverse("admin:index")
    return {
        "heading": about.get_news_display(),
        "is_over": about.news == News.OVER,
        "is_test": about.news == News.TEST,
        "sentence": alarm.sentence if alarm else "",
        "label": alarm.get_kind_display() if alarm else "",
        "began_at": alarm.began_at if alarm else mail.created_at,
        "over_at": alarm.over_at if alarm else None,
        "link": f"{settings.SITE_URL}{path}",
    }


def _is_wanted(mail: OutgoingEmail) -> bool:
    return hasattr(mail, "alarm_mail")


def _still_wanted() -> Q:
    return Q(alarm_mail__isnull=False)


ALARM = MailKind(
    "alarm",
    _("Alarm for operators"),
    "verification/mail/alarm",
    context=_context,
    is_wanted=_is_wanted,
    still_wanted=_still_wanted,
    related=("alarm_mail__alarm",),
    is_harmless_twice=True,
)
kinds.register(ALARM)
