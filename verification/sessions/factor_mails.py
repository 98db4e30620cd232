"""The mails that tell users what happened to their second factors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from authconfig.choices import Event, Origin
from authconfig.users.audit import NOWHERE
from authconfig.users.models import AuditEvent, PbxUser
from verification.mail.kinds import MailKind
from verification.mail.models import OutgoingEmail
from verification.mail.queue import enqueue_notice
from verification.sessions.choices import Approver, FactorChange
from verification.sessions.models import FactorMail
from verification.sessions.user_agents import browser_text

Type = Authenticator.Type
HEADINGS: dict[tuple[str, str], str | Promise] = {
    (FactorChange.ADDED, Type.WEBAUTHN): _("A passkey was added to your account"),
    (FactorChange.ADDED, Type.TOTP): _(
        "An authenticator app was added to your account"
    ),
    (FactorChange.REMOVED, Type.WEBAUTHN): _("A passkey was removed from your account"),
    (FactorChange.REMOVED, Type.TOTP): _(
        "An authenticator app was removed from your account"
    ),
    (FactorChange.RENEWED, Type.RECOVERY_CODES): _(
        "New recovery codes were made for your account"
    ),
    (FactorChange.REMOVED, ""): _(
        "An administrator removed passkeys and codes from your account"
    ),
}
# One or two wrong codes are a slip of the owner's.
WRONG_CODES_TOLD_FROM = 3
# Whoever has the password could otherwise flood the owner.
WRONG_CODES_TOLD_EVERY = timedelta(days=1)


def tell(
    user: PbxUser, change: FactorChange, type_: str = "", *, origin: Origin = NOWHERE
) -> None:
    """Tell the owner; `type_` is "" where an administrator removed what there was.

    Recovery codes that come or go with a factor are no news of their own.
    """
    if (change, type_) in HEADINGS:
        _enqueue(FACTOR_NOTICE, user, origin, change=change, type=type_)


@transaction.atomic
def tell_of_wrong_codes(user: PbxUser, *, origin: Origin) -> bool:
    """Tell the owner that somebody knows their password and has no right code.

    To be called after each wrong one was recorded; a mail goes out once in a day.
    """
    # Two failures at the same time send one mail.
    PbxUser.objects.select_for_update().get(pk=user.pk)
    since = timezone.now() - WRONG_CODES_TOLD_EVERY
    failed = AuditEvent.objects.filter(
        user=user, event=Event.LOGIN_FAILED, detail=Approver.FACTOR, at__gt=since
    )
    if len(failed.values("pk")[:WRONG_CODES_TOLD_FROM]) < WRONG_CODES_TOLD_FROM:
        return False
    told = OutgoingEmail.objects.filter(user=user, kind=WRONG_CODES.name)
    if told.filter(created_at__gt=since).exists():
        return False
    return _enqueue(WRONG_CODES, user, origin)


def _enqueue(kind: MailKind, user: PbxUser, origin: Origin, **facts: str) -> bool:
    language = translation.get_language() or "en"
    with transaction.atomic():
        mail = enqueue_notice(kind, user, language=language)
        if mail:
            FactorMail.objects.create(
                mail=mail,
                address=origin.address or None,
                user_agent=origin.user_agent,
                **facts,
            )
    return mail is not None


def _context(mail: OutgoingEmail) -> dict[str, Any]:
    about = mail.factor_mail
    return {
        "user": mail.user,
        "at": mail.created_at,
        "heading": HEADINGS.get((about.change, about.type), ""),
        "by_administrator": not about.type,
        "address": about.address or "–",  # noqa: RUF001
        "browser": browser_text(about.user_agent),
        "link": f"{settings.SITE_URL}{reverse('verification:account')}",
    }


def _is_wanted(mail: OutgoingEmail) -> bool:
    return hasattr(mail, "factor_mail")


def _still_wanted() -> Q:
    return Q(factor_mail__isnull=False)


FACTOR_NOTICE = MailKind(
    "factor",
    _("Notice of a changed second factor"),
    "verification/mail/factor",
    context=_context,
    is_wanted=_is_wanted,
    still_wanted=_still_wanted,
    related=("factor_mail",),
)
WRONG_CODES = MailKind(
    "wrong_code",
    _("Notice of wrong codes"),
    "verification/mail/wrong_codes",
    context=_context,
    is_wanted=_is_wanted,
    still_wanted=_still_wanted,
    related=("factor_mail",),
)
