"""Second factors that users have: passkeys and one-time codes, kept by allauth.mfa."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from allauth.core import context
from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from authconfig.choices import Event
from authconfig.clients.choices import Kind
from authconfig.clients.session_kinds import is_myapps
from authconfig.models import current_rules
from authconfig.policy import needs_approval, requires_factor
from authconfig.users import audit
from authconfig.users.models import PbxUser
from verification.sessions import factor_mails
from verification.sessions.choices import Approver, FactorApprover, FactorChange
from verification.sessions.models import FactorBinding

Type = Authenticator.Type
# In what is kept of a session: what approved it, if that makes its factors count.
APPROVED_BY = "approved_by"


@dataclass(frozen=True)
class Factors:
    """A user's factors; `recovery_codes_left` is None where no codes were made."""

    passkeys: tuple[Authenticator, ...]
    app: Authenticator | None
    recovery_codes: Authenticator | None
    recovery_codes_left: int | None

    @property
    def any(self) -> bool:
        return bool(self.passkeys or self.app)


def factors_of(user: PbxUser) -> Factors:
    own = Authenticator.objects.filter(user=user)
    kept: list[Authenticator] = list(own.select_related("binding"))
    codes = _only(kept, Type.RECOVERY_CODES)
    return Factors(
        passkeys=tuple(factor for factor in kept if factor.type == Type.WEBAUTHN),
        app=_only(kept, Type.TOTP),
        recovery_codes=codes,
        recovery_codes_left=_unused(codes) if codes else None,
    )


def _only(kept: list[Authenticator], type_: str) -> Authenticator | None:
    return next((factor for factor in kept if factor.type == type_), None)


def _unused(codes: Authenticator) -> int:
    """Count the bits that allauth sets for used codes: nothing has to be decrypted."""
    used: int = codes.data["used_mask"]
    every: int = app_settings.RECOVERY_CODE_COUNT
    return every - used.bit_count()


def is_missing(request: HttpRequest) -> bool:
    """Has this session's user yet to set up the factor that is required?

    Until then the session opens nothing else: it was approved by e-mail alone.
    """
    return is_myapps(request) and is_missing_for(request.user.pk or 0, Kind.MYAPPS)


def is_missing_for(user_pk: int, kind: Kind) -> bool:
    if not requires_factor(current_rules(), kind):
        return False
    return lacking(PbxUser.objects.filter(pk=user_pk)).exists()


def lacking(users: QuerySet[PbxUser]) -> QuerySet[PbxUser]:
    """Keep the users whose factors, if there are any, nobody approved.

    Recovery codes stand in for a factor and are none. A factor of which nobody knows
    how it was added is one here: an update closes no session, and leaves none out.
    """
    added = Authenticator.objects.exclude(type=Type.RECOVERY_CODES)
    return users.exclude(pk__in=added.exclude(binding__approver="").values("user"))


def may_do_without(user: PbxUser) -> bool:
    """May a login go on without the user's factors, to be approved otherwise?

    Somebody who knew the password may have added them, and would keep the owner out.
    """
    if not needs_approval(current_rules(), Kind.MYAPPS):
        return False
    return lacking(PbxUser.objects.filter(pk=user.pk)).exists()


def counts(factor: Authenticator) -> bool:
    approved = FactorBinding.objects.exclude(approver="")
    return approved.filter(factor=factor).exists()


def proving(user: PbxUser) -> QuerySet[Authenticator]:
    """Return the factors by which the user may prove again who they are."""
    own: QuerySet[Authenticator] = Authenticator.objects.filter(user=user)
    if not needs_approval(current_rules(), Kind.MYAPPS):
        return own
    return own.filter(binding__approver__in=FactorApprover.values)


def unapproved(factors: QuerySet[Authenticator]) -> QuerySet[Authenticator]:
    return factors.exclude(binding__approver__in=FactorApprover.values)


def users_of_unapproved() -> QuerySet[PbxUser]:
    factors = unapproved(Authenticator.objects.all())
    return PbxUser.objects.filter(pk__in=factors.values("user"))


def name_of(factor: Authenticator) -> str:
    """Say what it is; a passkey's own name was chosen by whoever added it."""
    names = {
        Type.WEBAUTHN: _("Passkey"),
        Type.TOTP: _("Authenticator app"),
        Type.RECOVERY_CODES: _("Recovery codes"),
    }
    return names[Type(factor.type)]


def approver_of(request: HttpRequest) -> str:
    """Return what this session was approved by, if a factor may rest on it; else "".

    Sessions from before this was kept rest on a factor or a session of which nothing is
    known, unless they were approved by e-mail.
    """
    own = UserSession.objects.filter(
        session_key=request.session.session_key, user=request.user.pk
    )
    kept: dict[str, str] = own.values_list("data", flat=True).first() or {}
    approver = kept.get("approver", "")
    older = approver if approver == Approver.EMAIL else ""
    return kept.get(APPROVED_BY, older)


@receiver(post_save, sender=Authenticator)
def bind(instance: Authenticator, *, created: bool, **_: Any) -> None:
    """Keep with a new factor how the session was approved that adds it."""
    request = context.request
    if not created or request is None or request.user.pk != instance.user_id:
        return
    approver = approver_of(request)
    FactorBinding.objects.create(
        factor=instance,
        approver=approver,
        approved_at=timezone.now() if approver else None,
    )


@transaction.atomic
def approve(factor_pk: int, *, user: PbxUser, approver: str) -> bool:
    """Let a factor count that was shown in an approved login; was it the first?"""
    own = Authenticator.objects.select_for_update().filter(user=user)
    factor = own.filter(pk=factor_pk).first()
    if factor is None or approver not in FactorApprover.values:
        return False
    FactorBinding.objects.get_or_create(factor=factor)
    rows = FactorBinding.objects.filter(factor=factor, approver="")
    if not rows.update(approver=approver, approved_at=timezone.now()):
        return False
    audit.record(Event.FACTOR_APPROVED, user=user, actor=user, detail=factor.type)
    return True


def passkey_fault() -> str:
    """Say why browsers would make no passkey for this site's address; "" if they do.

    A passkey belongs to a host name, and to https (WebAuthn Level 3, 5.1.3).
    """
    site = urlsplit(settings.SITE_URL)
    host = site.hostname or ""
    if _is_address(host):
        return _(
            "This site is reached by an IP address, and a passkey belongs to a host"
            " name. It can be offered once the administrator gives the site a name."
        )
    if site.scheme != "https" and host != "localhost":
        return _("This site is reached without https, which passkeys need.")
    return ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def remove_all(user: PbxUser, *, actor: PbxUser) -> int:
    """Take all factors from a user who lost them; the next login asks for e-mail."""
    removed: int = Authenticator.objects.filter(user=user).delete()[0]
    if removed:
        audit.record(Event.FACTOR_REMOVED, user=user, actor=actor, detail="all")
        factor_mails.tell(user, FactorChange.REMOVED)
    return removed


@transaction.atomic
def remove_unapproved(*, actor: PbxUser | None) -> int:
    """Remove the factors that nobody approved; return of how many users."""
    users = list(users_of_unapproved())
    unapproved(Authenticator.objects.all()).delete()
    _remove_stray_codes(users)
    details = [(user, "not approved") for user in users]
    audit.record_many(Event.FACTOR_REMOVED, details, actor=actor)
    for user in users:
        factor_mails.tell(user, FactorChange.REMOVED)
    return len(users)


def _remove_stray_codes(users: list[PbxUser]) -> None:
    """Recovery codes end with the last factor that they stand in for."""
    factors = Authenticator.objects.exclude(type=Type.RECOVERY_CODES)
    stray = Authenticator.objects.filter(user__in=users)
    stray.exclude(user__in=factors.values("user")).delete()
