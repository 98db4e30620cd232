"""The mail that tells an address that a user's e-mails no longer go there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from authconfig.models import current_rules
from authconfig.users.changes import addresses_changed
from authconfig.users.models import PbxUser
from verification.mail.kinds import MailKind
from verification.mail.models import OutgoingEmail
from verification.mail.queue import NOTICE_TTL
from verification.mail.sending import wake_due

# A directory that goes to and fro between two addresses floods neither of them.
TOLD_EVERY = timedelta(days=1)


@receiver(addresses_changed)
def tell_old_addresses(old_addresses: Mapping[PbxUser, str], **_: Any) -> None:
    rules = current_rules()
    if not (rules.smtp_server and rules.smtp_email_address):
        return
    told = OutgoingEmail.objects.filter(
        kind=ADDRESS_NOTICE.name,
        user__in=list(old_addresses),
        created_at__gt=timezone.now() - TOLD_EVERY,
    )
    known = set(told.values_list("user", "recipient"))
    OutgoingEmail.objects.bulk_create(
        _notice(user, old)
        for user, old in old_addresses.items()
        if (user.pk, old) not in known
    )
    transaction.on_commit(wake_due)


def _notice(user: PbxUser, old: str) -> OutgoingEmail:
    return OutgoingEmail(
        kind=ADDRESS_NOTICE.name,
        priority=ADDRESS_NOTICE.priority,
        user=user,
        recipient=old,
        language=user.language or translation.get_language() or "en",
        expires_at=timezone.now() + NOTICE_TTL,
    )


def _context(mail: OutgoingEmail) -> dict[str, Any]:
    """The new address is not told: whoever reads this mailbox may be a stranger."""
    return {"user": mail.user, "at": mail.created_at}


ADDRESS_NOTICE = MailKind(
    "address",
    _("Notice of a changed e-mail address"),
    "verification/mail/address",
    context=_context,
)
