"""Whether a change would lock every administrator out of the administration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from authconfig.choices import Event, Method
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.names import name_key
from authconfig.oauth2.discovery import issuer_of
from authconfig.oauth2.models import ProviderIdentity
from authconfig.policy import methods_for, needs_approval
from authconfig.users.audit import FIELDS_OF, proof_of
from authconfig.users.models import AuditEvent, PbxUser

# A login or trial proves for this long that an administrator can log in.
PROOF_TTL = timedelta(minutes=15)
PROOFS = (Event.LOGIN, Event.NETLOGON_TESTED, Event.OAUTH2_TESTED)
# The domains decide which user the login form takes a name for.
ALWAYS = (
    "authentication_type",
    "two_factor",
    "pbx_domain",
    "netlogon_domain",
    "netlogon_netbios_name",
)
SHOWN_NAMES = 3
# Users with this right can repair the rules.
RIGHT = "change_authenticationsettings"


class Lockout(NamedTuple):
    """Why a change is refused, told at the field whose change does the harm."""

    field: str
    text: str


class Way(NamedTuple):
    """A method that an administrator can log in to the administration by."""

    user: PbxUser
    method: Method


def lockout_by(
    rules: AuthenticationSettings,
    new_rules: AuthenticationSettings,
    administrator: PbxUser | None,
) -> Lockout | None:
    """Return why no administrator could log in any more by the new rules, if so.

    The administration counts as myApps. Where the PBX password is no method, the only
    proof is a recent login or trial of this very administrator by the new rules.
    """
    changed = [
        n for n in _watched(new_rules) if getattr(rules, n) != getattr(new_rules, n)
    ]
    if not changed:
        return None
    able = [way.user for way in _ways(new_rules, since=_proof_begins())]
    by_password = Method.PASSWORD in methods_for(new_rules, Kind.MYAPPS)
    if administrator and not by_password:
        able = [user for user in able if user == administrator]
    if not able:
        field = _preferred("authentication_type", changed)
        return Lockout(field, _no_way_in(new_rules, administrator))
    if needs_approval(new_rules, Kind.MYAPPS) and not any(user.email for user in able):
        return Lockout(_preferred("two_factor", changed), _no_address(able))
    return None


def leaves_nobody(without: Iterable[PbxUser]) -> bool:
    """Would no administrator who can log in remain without these users?"""
    able = {user.pk for user in able_at_present()}
    return bool(able) and able <= {user.pk for user in without}


def able_at_present() -> list[PbxUser]:
    """Return the administrators who can log in by the present rules."""
    return [way.user for way in _ways_at_present()]


def needs_email() -> bool:
    return needs_approval(current_rules(), Kind.MYAPPS)


def needs_password(administrator: PbxUser) -> bool:
    """Can no administrator log in once this one has no PBX password?"""
    return set(_ways_at_present()) == {Way(administrator, Method.PASSWORD)}


def needs_identity(identity: ProviderIdentity) -> bool:
    """Can no administrator log in once this account is disconnected?

    Where nobody is known to be able, the last connected account may be the way in.
    """
    if not _connected_administrators().filter(pk=identity.pk).exists():
        return False
    own, ways = Way(identity.user, Method.OAUTH2), set(_ways_at_present())
    return ways == {own} if ways else is_last_connected(identity)


def is_last_connected(identity: ProviderIdentity) -> bool:
    return not _connected_administrators().exclude(pk=identity.pk).exists()


def last_one() -> str:
    return _(
        "No other administrator can log in with the present settings, so nobody could"
        " administer the site any more. See to another one first."
    )


def _proof_begins() -> datetime:
    return timezone.now() - PROOF_TTL


def _watched(new_rules: AuthenticationSettings) -> list[str]:
    methods = methods_for(new_rules, Kind.MYAPPS)
    return [*ALWAYS, *(name for m in methods for name in FIELDS_OF.get(m, ()))]


def _preferred(field: str, changed: Sequence[str]) -> str:
    return field if field in changed else changed[0]


def _administrators() -> QuerySet[PbxUser]:
    own = Q(user_permissions__codename=RIGHT)
    of_group = Q(groups__permissions__codename=RIGHT)
    active = PbxUser.objects.filter(is_active=True, is_staff=True)
    return active.filter(Q(is_superuser=True) | own | of_group).distinct()


def _connected_administrators() -> QuerySet[ProviderIdentity]:
    """Return the accounts that the present rules let administrators in with."""
    rules = current_rules()
    if Method.OAUTH2 not in methods_for(rules, Kind.MYAPPS):
        return ProviderIdentity.objects.none()
    return ProviderIdentity.objects.filter(
        issuer__in=_issuers(rules), user__in=_administrators()
    )


def _issuers(rules: AuthenticationSettings) -> tuple[str, str]:
    """Return the issuer with a slash at its end and without: providers differ."""
    issuer = issuer_of(rules.oauth2_well_known_url)
    return issuer, f"{issuer}/"


def _ways_at_present() -> list[Way]:
    """Return who can log in, by what.

    The site cannot know a Windows password or a provider's: an earlier login by these
    very rules counts as proof.
    """
    ways = _ways(current_rules())
    return [way for way in ways if way.user.email or not needs_email()]


def _ways(rules: AuthenticationSettings, *, since: datetime | None = None) -> list[Way]:
    able_by = {
        Method.PASSWORD: _able_by_password,
        Method.NETLOGON: _able_by_netlogon,
        Method.OAUTH2: _able_by_oauth2,
    }
    return [
        Way(user, method)
        for method in methods_for(rules, Kind.MYAPPS)
        for user in able_by[method](rules, since)
    ]


def _able_by_password(
    rules: AuthenticationSettings, _since: datetime | None
) -> list[PbxUser]:
    users = [user for user in _administrators() if user.has_usable_password()]
    return [user for user in users if _is_found_by_name(user, rules)]


def _able_by_netlogon(
    rules: AuthenticationSettings, since: datetime | None
) -> list[PbxUser]:
    proved = _proved(rules, Method.NETLOGON, since)
    return [user for user in proved if _is_found_by_name(user, rules)]


def _able_by_oauth2(
    rules: AuthenticationSettings, since: datetime | None
) -> list[PbxUser]:
    """A login never connects an administrator's account, so it must be connected."""
    proved = _proved(rules, Method.OAUTH2, since)
    return list(proved.filter(identities__issuer__in=_issuers(rules)))


def _proved(
    rules: AuthenticationSettings, method: Method, since: datetime | None
) -> QuerySet[PbxUser]:
    proofs = AuditEvent.objects.filter(
        event__in=PROOFS,
        method=method,
        proof=proof_of(rules, method),
        user__in=_administrators(),
    )
    if since:
        proofs = proofs.filter(at__gt=since)
    return PbxUser.objects.filter(pk__in=proofs.values("user"))


def _is_found_by_name(user: PbxUser, rules: AuthenticationSettings) -> bool:
    return name_key(rules.login_name(user.name)) == user.name_key


def _no_way_in(new_rules: AuthenticationSettings, administrator: PbxUser | None) -> str:
    methods = methods_for(new_rules, Kind.MYAPPS)
    # To set a PBX password is the shortest way out, whatever else is allowed.
    if Method.PASSWORD in methods:
        return _no_password(new_rules)
    return " ".join(_no_way_by(m, new_rules, administrator) for m in methods)


def _no_way_by(
    method: Method, new_rules: AuthenticationSettings, administrator: PbxUser | None
) -> str:
    proved = _proved(new_rules, method, _proof_begins())
    if administrator is None or administrator not in proved:
        return _not_proved(method)
    # They have just logged in by this method, and would not be found the next time.
    if method is Method.OAUTH2:
        return _not_connected()
    return _misnamed(new_rules, administrator)


def _not_proved(method: Method) -> str:
    return _(
        "You have not logged in with “%(method)s” and these settings in the last 15"
        " minutes, so nobody knows whether you could. Run the section's test with your"
        " own name, or choose a type that allows both and log in that way first."
    ) % {"method": method.label}


def _no_password(new_rules: AuthenticationSettings) -> str:
    holders = [user for user in _administrators() if user.has_usable_password()]
    if not holders:
        return _("No administrator has a PBX password. Set one first.")
    return _misnamed(new_rules, holders[0])


def _not_connected() -> str:
    return _(
        "Your account at the provider is not connected, so a login with it would be"
        " refused. Choose a type that allows both and connect it under Account security"
        " first."
    )


def _misnamed(new_rules: AuthenticationSettings, administrator: PbxUser) -> str:
    return _(
        "With these domains the login form takes “%(name)s” for the user “%(other)s”,"
        " so no administrator could log in. Rename an administrator first."
    ) % {"name": administrator.name, "other": new_rules.login_name(administrator.name)}


def _no_address(able: Sequence[PbxUser]) -> str:
    return _(
        "Of the administrators who could log in (%(names)s), none has an e-mail address"
        " to approve the login with. Enter one first."
    ) % {"names": ", ".join(sorted(user.name for user in able)[:SHOWN_NAMES])}
