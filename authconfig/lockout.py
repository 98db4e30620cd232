"""Would these settings leave an administrator a way in?"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from authconfig.choices import Client, Event, Method
from authconfig.models import (
    AuditEvent,
    AuthenticationSettings,
    PbxUser,
    ProviderIdentity,
    current_settings,
)
from authconfig.policy import methods_for, needs_approval
from authconfig.sections import SECTIONS

# How fresh the proof is that this administrator can log in by the new method.
PROOF_TTL = timedelta(minutes=15)
PROOFS = (Event.LOGIN, Event.NETLOGON_TESTED, Event.OAUTH2_TESTED)
ALWAYS = ("authentication_type", "two_factor")
# What decides whether a login by the method succeeds.
FIELDS_OF = {
    Method.NETLOGON: next(s.all_fields for s in SECTIONS if s.key == "netlogon"),
    Method.OAUTH2: (
        "oauth2_domain",
        "pbx_domain",
        *next(s.all_fields for s in SECTIONS if s.key == "oauth2"),
    ),
}


def proof_of(settings: AuthenticationSettings, method: Method) -> str:
    """Return a keyed digest of the method's settings; "" for the PBX password.

    It goes with each login and test that succeeded, so that it proves something of
    these very settings and of no others.
    """
    if method not in FIELDS_OF:
        return ""
    values = [str(getattr(settings, name)) for name in FIELDS_OF[method]]
    return salted_hmac("authconfig.lockout", repr(values)).hexdigest()[:16]


def lockout_fault(
    old: AuthenticationSettings,
    new: AuthenticationSettings,
    administrator: PbxUser | None,
) -> str:
    """Return why nobody could administer the site any more, or "".

    The admin's login counts as myApps. Without the PBX password, only a recent login
    or test of this very administrator, by the new method and settings, is proof.
    """
    methods = methods_for(new, Client.MYAPPS)
    watched = (
        ALWAYS if Method.PASSWORD in methods else (*ALWAYS, *FIELDS_OF[methods[0]])
    )
    if not any(getattr(old, name) != getattr(new, name) for name in watched):
        return ""
    if Method.PASSWORD not in methods:
        return _fault_without_pbx_password(new, methods[0], administrator)
    able = [user for user in _administrators() if user.has_usable_password()]
    if not able:
        return _("No administrator has a PBX password. Set one first.")
    if needs_approval(new, Client.MYAPPS) and not any(u.email for u in able):
        return _(
            "No administrator has an e-mail address, so none could approve his login."
            " Enter one for an administrator first."
        )
    return ""


def needs_email(administrator: PbxUser) -> bool:
    """Is this the last administrator whom a verification e-mail can reach?"""
    if not administrator.email or not needs_approval(current_settings(), Client.MYAPPS):
        return False
    others = _administrators().exclude(pk=administrator.pk)
    return not others.exclude(email="").exists()


def needs_identity(identity: ProviderIdentity) -> bool:
    """Is this the last account at the provider that an administrator logs in with?"""
    rules, issuer = current_settings(), identity.issuer.rstrip("/")
    at_present = rules.oauth2_well_known_url.startswith(f"{issuer}/")
    if not at_present or methods_for(rules, Client.MYAPPS) != (Method.OAUTH2,):
        return False
    able = ProviderIdentity.objects.filter(
        issuer=identity.issuer, user__in=_administrators()
    )
    return able.filter(pk=identity.pk).exists() and able.count() == 1


def _fault_without_pbx_password(
    new: AuthenticationSettings, method: Method, administrator: PbxUser | None
) -> str:
    proofs = AuditEvent.objects.filter(
        event__in=PROOFS,
        method=method,
        proof=proof_of(new, method),
        at__gt=timezone.now() - PROOF_TTL,
        user__in=_administrators(),
    )
    if administrator:
        proofs = proofs.filter(user=administrator)
    if proofs.exists():
        return ""
    return _(
        "You have not logged in with “%(method)s” and these settings in the last 15"
        " minutes, so nobody knows whether you could. Run the section's test with your"
        " own name, or choose a type that allows both and log in that way first."
    ) % {"method": method.label}


def _administrators() -> QuerySet[PbxUser]:
    return PbxUser.objects.filter(is_active=True, is_staff=True)
