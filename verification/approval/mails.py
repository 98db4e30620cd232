"""E-mails that tell of something; they go the way of all mails, through the queue."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.timezone import localtime

from authconfig.models import current_settings
from authconfig.users.models import PbxUser
from verification.approval.models import LoginSession
from verification.approval.tokens import link_token
from verification.mail.choices import MailKind
from verification.mail.models import OutgoingEmail
from verification.mail.notices import queue_notice
from verification.mail.rendering import Rendered

# Of one user's rejections administrators are told once in this time, so that whoever
# has his password cannot flood them.
REJECTIONS_TOLD_EVERY = timedelta(hours=1)


def tell_of_rejection(login: LoginSession) -> int:
    """Tell every administrator that a user rejected a login; return how many."""
    since = timezone.now() - REJECTIONS_TOLD_EVERY
    told = OutgoingEmail.objects.filter(
        kind=MailKind.REJECTION, login__user=login.user_id, created_at__gt=since
    )
    if told.exists():
        return 0
    administrators = PbxUser.objects.filter(is_active=True, is_staff=True)
    return sum(
        queue_notice(MailKind.REJECTION, administrator, login)
        for administrator in administrators
    )


def _language_of(login: LoginSession | None) -> str:
    """Return the language of the browser that caused the mail."""
    return login.language if login else translation.get_language() or "en"


def _approval(mail: OutgoingEmail) -> Rendered:
    """A verification e-mail; its link is signed here and stored nowhere."""
    login = mail.login
    assert login
    query = urlencode({"id": link_token(login)})
    started, until = localtime(login.created_at), localtime(login.expires_at)
    return "approval", {
        "who": login.user.name,
        "client": str(login.get_client_display()),
        "browser": login.browser_text,
        "address": login.address or "–",  # noqa: RUF001
        "started": f"{date_format(started, 'DATETIME_FORMAT')} {started:%Z}",
        "until": date_format(until, "TIME_FORMAT"),
        "zone": f"{until:%Z}",
        "link": f"{current_settings().verification_link}?{query}",
    }


def _rejection(mail: OutgoingEmail) -> Rendered:
    login = mail.login
    assert login
    page = reverse("admin:users_pbxuser_change", args=[login.user_id])
    link = f"{settings.SITE_URL}{page}"
    return "rejection", {"login": login, "link": link}
