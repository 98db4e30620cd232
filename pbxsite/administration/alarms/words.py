"""Whom alarms go to, in sentences for the page of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.models import AuthenticationSettings
from authconfig.settings_fields.alarms import split_recipients


def said(rules: AuthenticationSettings) -> str:
    told = list(_told(rules))
    if not told:
        return _("Alarms are shown on the overview alone; nobody is told.")
    return " ".join(told)


def _told(rules: AuthenticationSettings) -> Iterator[str]:
    count = len(split_recipients(rules.alarm_recipients))
    if count:
        yield ngettext(
            "Alarms go by e-mail to %(count)d address.",
            "Alarms go by e-mail to %(count)d addresses.",
            count,
        ) % {"count": count}
        if not (rules.smtp_server and rules.smtp_email_address):
            yield _("No e-mail account is set up, so no e-mail can be sent.")
    if rules.alarm_webhook_url:
        host = urlsplit(rules.alarm_webhook_url).hostname
        yield _("The webhook at %(host)s is told of alarms.") % {"host": host}


def news(
    rules: AuthenticationSettings, new_rules: AuthenticationSettings
) -> Iterator[str]:
    targets = ("alarm_recipients", "alarm_webhook_url")
    if any(getattr(rules, name) != getattr(new_rules, name) for name in targets):
        yield said(new_rules)
