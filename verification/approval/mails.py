"""The mails about a pending login: its verification, and the notice of a rejection."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from authconfig.models import current_rules
from authconfig.users.models import PbxUser
from verification.approval.choices import LoginState, MailNews
from verification.approval.models import LoginMail, LoginSession
from verification.approval.tokens import link_token
from verification.mail.choices import MailState
from verification.mail.kinds import MailKind
from verification.mail.models import OutgoingEmail
from verification.mail.operation.outcomes import failure_of
from verification.mail.queue import enqueue_notice
from verification.sessions.user_agents import browser_text

# Administrators are told of a user's rejections once in this time, so that whoever has
# the user's password cannot flood them.
REJECTIONS_TOLD_EVERY = timedelta(hours=1)
# Whoever waits for a mail takes it for delayed after so long.
DELAYED_AFTER = timedelta(seconds=10)
NEWS = {
    MailState.SENT: MailNews.SENT,
    MailState.UNKNOWN: MailNews.UNCERTAIN,
    MailState.EXPIRED: MailNews.NOT_SENT,
}


def newest_mail(login: LoginSession) -> OutgoingEmail | None:
    mails = OutgoingEmail.objects.filter(login_mail__login=login, kind=APPROVAL.name)
    return mails.order_by("-login_mail__link_number").first()


def news_of(mail: OutgoingEmail) -> MailNews:
    """Return what the user can be told, and whether another mail would help."""
    if mail.state in (MailState.QUEUED, MailState.SENDING):
        # A stage is noted when a try fails.
        if mail.stage:
            return _news_of_delay(mail)
        waits = timezone.now() - mail.created_at > DELAYED_AFTER
        return MailNews.DELAYED if waits else MailNews.ON_ITS_WAY
    if mail.state == MailState.FAILED:
        return _news_of_failure(mail)
    return NEWS[MailState(mail.state)]


def _news_of_delay(mail: OutgoingEmail) -> MailNews:
    """A mail whose account is refused waits until somebody has mended that."""
    return MailNews.REFUSED if failure_of(mail).permanent else MailNews.DELAYED


def _news_of_failure(mail: OutgoingEmail) -> MailNews:
    error = failure_of(mail)
    if mail.stage and not error.permanent:
        return MailNews.NOT_SENT
    return MailNews.ADDRESS_REFUSED if error.is_of_recipient else MailNews.REFUSED


def expire_mails(login: LoginSession) -> None:
    """A mail that was not sent yet must not be sent any more."""
    queued = OutgoingEmail.objects.filter(
        login_mail__login=login, kind=APPROVAL.name, state=MailState.QUEUED
    )
    queued.update(state=MailState.EXPIRED, ended_at=timezone.now())


@transaction.atomic
def tell_of_rejection(login: LoginSession) -> int:
    """Tell every administrator that a user rejected a login; return how many."""
    since = timezone.now() - REJECTIONS_TOLD_EVERY
    told = OutgoingEmail.objects.filter(
        kind=REJECTION.name,
        login_mail__login__user=login.user_id,
        created_at__gt=since,
    )
    if told.exists():
        return 0
    administrators = PbxUser.objects.filter(is_active=True, is_staff=True)
    mails = [
        enqueue_notice(REJECTION, administrator, language=login.language)
        for administrator in administrators
    ]
    about = [LoginMail(mail=mail, login=login) for mail in mails if mail]
    return len(LoginMail.objects.bulk_create(about))


def _approval_context(mail: OutgoingEmail) -> dict[str, Any]:
    """The link is signed here and stored nowhere."""
    login = mail.login_mail.login
    assert mail.user
    query = urlencode({"id": link_token(login)})
    return {
        "who": mail.user.name,
        "kind": str(login.get_kind_display()),
        "browser": browser_text(login.user_agent),
        "address": login.address or "–",  # noqa: RUF001
        "started": _shown(login.created_at),
        "until": _shown(login.expires_at),
        "link": f"{current_rules().verification_link}?{query}",
        **_factor_context(login),
    }


def _factor_context(login: LoginSession) -> dict[str, str]:
    """Without a factor there are no such names: the merge takes any value for one."""
    if login.factor is None:
        return {}
    return {"factor": login.factor_text, "added": _shown(login.factor.created_at)}


def _shown(at: datetime) -> str:
    """Return the minute as the mail's reader writes it, in the active time zone."""
    minutes = int(at.timestamp()) // 60
    return _minute(minutes, timezone.get_current_timezone(), get_language())


@lru_cache(maxsize=256)
def _minute(minutes: int, zone: tzinfo, language: str | None) -> str:
    """Mails of the same minute show the same words; `language` is the active one."""
    return date_format(datetime.fromtimestamp(60 * minutes, zone), "DATETIME_FORMAT")


def _rejection_context(mail: OutgoingEmail) -> dict[str, Any]:
    login = mail.login_mail.login
    page = reverse("admin:users_pbxuser_change", args=[login.user_id])
    link = f"{settings.SITE_URL}{page}"
    return {"login": login, "link": link}


def _has_login(mail: OutgoingEmail) -> bool:
    """The login goes with its user; a notice to administrators may still be queued."""
    return hasattr(mail, "login_mail")


def _is_wanted(mail: OutgoingEmail) -> bool:
    """A mail for a login that is over, or with an older link, helps nobody."""
    if not _has_login(mail):
        return False
    login = mail.login_mail.login
    is_newest = mail.login_mail.link_number == login.link_number
    is_pending = login.state == LoginState.PENDING
    is_theirs = mail.user is not None and mail.recipient == mail.user.email
    return is_pending and is_newest and is_theirs and login.expires_at > timezone.now()


def _still_wanted() -> Q:
    return Q(
        login_mail__login__state=LoginState.PENDING,
        login_mail__login__expires_at__gt=timezone.now(),
        login_mail__login__link_number=F("login_mail__link_number"),
        login_mail__login__user__email=F("recipient"),
    )


def _login_id(mail: OutgoingEmail) -> str:
    return str(mail.login_mail.login.public_id) if _has_login(mail) else ""


APPROVAL = MailKind(
    "approval",
    _("Verification e-mail"),
    "verification/mail/approval",
    context=_approval_context,
    is_wanted=_is_wanted,
    still_wanted=_still_wanted,
    related=("login_mail__login",),
    # Its link may have arrived: the user presses "send again", which voids that link.
    may_follow_doubt=False,
    log_subject=_login_id,
)
REJECTION = MailKind(
    "rejection",
    _("Notice of a rejected login"),
    "verification/mail/rejection",
    context=_rejection_context,
    is_wanted=_has_login,
    still_wanted=lambda: Q(login_mail__isnull=False),
    log_subject=_login_id,
)
