"""What keeps the e-mail account's login by OAuth2 from working, now or soon."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from authconfig.choices import SmtpLogin
from authconfig.models import AuthenticationSettings
from authconfig.sections import SETTINGS_PAGE
from authconfig.smtp_login.modes import grant_of, shown_fields
from pbxsite.administration.findings import AlarmKind, Finding
from verification.mail.oauth2.settings import configuration_of
from verification.mail.oauth2.standing import Standing, standing_of

# So long before its end a client secret is warned of.
WARNED_DAYS = 30


def findings_of_login(rules: AuthenticationSettings) -> Iterator[Finding]:
    configuration = configuration_of(rules)
    if configuration is None:
        return
    link = f"{reverse(SETTINGS_PAGE)}#section-email"
    standing = standing_of(configuration)
    if standing.is_for_good:
        yield Finding(AlarmKind.MAIL_LOGIN, _ended(standing), link)
    ends_on = rules.smtp_oauth2_client_secret_expires
    if ends_on and _uses_secret(rules):
        days = (ends_on - timezone.localdate()).days
        if days <= WARNED_DAYS:
            yield Finding(AlarmKind.MAIL_SECRET, _expiring(ends_on, days), link)


def _uses_secret(rules: AuthenticationSettings) -> bool:
    shown = shown_fields(SmtpLogin(rules.smtp_login), grant_of(rules))
    return "smtp_oauth2_client_secret_expires" in shown


def _ended(standing: Standing) -> str:
    """Tell the provider's words and what to do; a token may still serve for a while."""
    told = _("The e-mail account gets no token any more. %(remedy)s") % {
        "remedy": standing.remedy
    }
    if standing.words:
        told += " " + _("The provider says: %(words)s.") % {
            "words": standing.words.removesuffix(".")
        }
    if standing.serves_until:
        at = date_format(timezone.localtime(standing.serves_until), "DATETIME_FORMAT")
        told += " " + _("E-mails go out until %(time)s.") % {"time": at}
    return told


def _expiring(ends_on: date, days: int) -> str:
    facts = {"date": date_format(ends_on), "days": days}
    remedy = _(
        "Make a new one at the provider, and enter it with its date before the old one"
        " ends."
    )
    if days < 0:
        told = _("The client secret of the e-mail account expired on %(date)s.")
    elif days == 0:
        told = _("The client secret of the e-mail account expires today.")
    else:
        told = ngettext(
            "The client secret of the e-mail account expires in %(days)d day, on"
            " %(date)s.",
            "The client secret of the e-mail account expires in %(days)d days, on"
            " %(date)s.",
            days,
        )
    return f"{told % facts} {remedy}"
