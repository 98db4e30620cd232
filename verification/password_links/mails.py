"""The mails with a link for a password, and those that tell of one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from authconfig.models import current_rules
from authconfig.policy import mailbox_is_one_factor
from verification.mail.choices import MailPriority
from verification.mail.kinds import MailKind
from verification.mail.models import OutgoingEmail
from verification.password_links.models import PasswordLink
from verification.password_links.tokens import token_for


def address_of(link: PasswordLink) -> str:
    """Return where the link leads to: never to what a request called this host."""
    query = urlencode({"id": token_for(link)})
    return f"{settings.SITE_URL}{reverse('verification:set_password')}?{query}"


def _link_context(mail: OutgoingEmail) -> dict[str, Any]:
    link = mail.link_mail.link
    return {
        "user": mail.user,
        "until": link.expires_at,
        "link": address_of(link),
        "needs_more": mailbox_is_one_factor(current_rules()),
    }


def _is_wanted(mail: OutgoingEmail) -> bool:
    if not (mail.user and hasattr(mail, "link_mail")):
        return False
    link = mail.link_mail.link
    expires_at = link.expires_at
    is_open = link.over_at is None and expires_at and expires_at > timezone.now()
    is_same = mail.user.is_active and mail.user.email == link.address
    return bool(is_open) and is_same


def _still_wanted() -> Q:
    return Q(
        link_mail__link__over_at=None,
        link_mail__link__expires_at__gt=timezone.now(),
        user__is_active=True,
        user__email=F("link_mail__link__address"),
    )


def _notice_context(mail: OutgoingEmail) -> dict[str, Any]:
    account = f"{settings.SITE_URL}{reverse('verification:account')}"
    return {"user": mail.user, "at": mail.created_at, "link": account}


INVITATION = MailKind(
    "invitation",
    _("Invitation to set a password"),
    "verification/mail/invitation",
    context=_link_context,
    is_wanted=_is_wanted,
    still_wanted=_still_wanted,
    # A thousand of them keep nobody waiting who is logging in.
    priority=MailPriority.LATER,
)
FORGOTTEN = MailKind(
    "forgotten",
    _("Link for a forgotten password"),
    "verification/mail/forgotten",
    context=_link_context,
    is_wanted=_is_wanted,
    still_wanted=_still_wanted,
)
NO_LINK = MailKind(
    "no_link",
    _("Notice that no link can be sent"),
    "verification/mail/no_link",
    context=_notice_context,
)
SET_BY_LINK = MailKind(
    "by_link",
    _("Notice of a password set by a link"),
    "verification/mail/by_link",
    context=_notice_context,
)
