"""Would these settings leave an administrator a way in?"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from authconfig.choices import Client, Event, Method
from authconfig.models import AuditEvent, AuthenticationSettings, PbxUser
from authconfig.policy import methods_for, needs_approval

# How fresh the proof is that this administrator can log in by the new method.
PROOF_TTL = timedelta(minutes=15)


def lockout_fault(
    settings: AuthenticationSettings, administrator: PbxUser | None
) -> str:
    """Return why nobody could administer the site any more, or "".

    The admin's login counts as myApps. Without the PBX password, only a recent
    login of this very administrator by the new method is proof.
    """
    methods = methods_for(settings, Client.MYAPPS)
    if Method.PASSWORD not in methods:
        return _fault_without_pbx_password(methods[0], administrator)
    able = [user for user in _administrators() if user.has_usable_password()]
    if not able:
        return _("No administrator has a PBX password. Set one first.")
    if needs_approval(settings, Client.MYAPPS) and not any(u.email for u in able):
        return _(
            "No administrator has an e-mail address, so none could approve his login."
            " Enter one for an administrator first."
        )
    return ""


def _fault_without_pbx_password(method: Method, administrator: PbxUser | None) -> str:
    since = timezone.now() - PROOF_TTL
    proofs = AuditEvent.objects.filter(
        event=Event.LOGIN, method=method, at__gt=since, user__in=_administrators()
    )
    if administrator:
        proofs = proofs.filter(user=administrator)
    if proofs.exists():
        return ""
    return _(
        "You have not logged in with “%(method)s” in the last 15 minutes, so nobody"
        " knows whether you could. Choose a type that allows both, log in that way,"
        " then choose this one."
    ) % {"method": method.label}


def _administrators() -> QuerySet[PbxUser]:
    return PbxUser.objects.filter(is_active=True, is_staff=True)
