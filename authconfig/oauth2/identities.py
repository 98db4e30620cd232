"""Which PBX user an account at the provider belongs to: bound once, found by `sub`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from authconfig.choices import Event, Method, Origin
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings, current_settings
from authconfig.names import name_key
from authconfig.oauth2.discovery import issuer_of
from authconfig.oauth2.faults import ProviderError, ProviderFault
from authconfig.oauth2.mapping import (
    ProviderClaims,
    identity_of,
    is_same_name,
    mapped_name,
)
from authconfig.oauth2.models import ProviderIdentity
from authconfig.policy import methods_for
from authconfig.users import audit
from authconfig.users.models import PbxUser


@dataclass(frozen=True)
class ConnectedAccount:
    """What Account security shows of the user's account at the provider."""

    provider: str
    connected_at: datetime | None


def connection_of(user: PbxUser) -> ConnectedAccount | None:
    """Return None where OAuth2 is not in use."""
    rules = current_settings()
    if Method.OAUTH2 not in methods_for(rules, Kind.MYAPPS):
        return None
    issuer = issuer_of(rules.oauth2_well_known_url)
    kept = user.identities.filter(issuer__in=(issuer, f"{issuer}/")).first()
    return ConnectedAccount(
        rules.oauth2_provider_name, kept.created_at if kept else None
    )


def login_user(claims: ProviderClaims, rules: AuthenticationSettings) -> PbxUser:
    """Return the user whom these claims log in; raise ProviderError.

    A bound account is found by (issuer, subject) alone, whatever its name has become.
    """
    account = identity_of(claims)
    user = bound_user(*account)
    if user is None:
        return first_user(*account, mapped_name(claims, rules))
    if not user.is_active:
        raise ProviderError(ProviderFault.INACTIVE, user.name)
    return user


def first_user(issuer: str, subject: str, name: str) -> PbxUser:
    """Return the user who logs in with this account for the first time.

    It binds nothing yet: somebody may still reject the login.
    """
    user = _user_named(name)
    _check_first_login(user, issuer, subject)
    return user


def _check_first_login(user: PbxUser, issuer: str, subject: str) -> None:
    if not user.is_active:
        raise ProviderError(ProviderFault.INACTIVE, user.name)
    if user.is_staff or user.is_superuser:
        raise ProviderError(ProviderFault.ADMINISTRATOR, user.name)
    others = ProviderIdentity.objects.filter(user=user, issuer=issuer)
    if others.exclude(subject=subject).exists():
        raise ProviderError(ProviderFault.OTHER_IDENTITY, user.name)


def bind_at_login(user: PbxUser, issuer: str, subject: str, *, origin: Origin) -> None:
    """Bind when the session begins, or note that the account was used."""
    own = ProviderIdentity.objects.filter(user=user, issuer=issuer, subject=subject)
    if not own.update(last_used_at=timezone.now()):
        _check_first_login(user, issuer, subject)
        bind(user, issuer, subject, origin=origin)


def bound_user(issuer: str, subject: str) -> PbxUser | None:
    found = ProviderIdentity.objects.filter(issuer=issuer, subject=subject)
    identity = found.select_related("user").first()
    return identity.user if identity else None


def connect(
    user: PbxUser, issuer: str, subject: str, name: str, *, origin: Origin
) -> None:
    """Bind the account that a signed-in user has just shown; raise ProviderError."""
    bound = bound_user(issuer, subject)
    if bound == user:
        return
    if bound is not None or not is_same_name(name, user.name):
        raise ProviderError(ProviderFault.OTHER_PERSON, name)
    bind(user, issuer, subject, origin=origin)


def bind(user: PbxUser, issuer: str, subject: str, *, origin: Origin) -> None:
    """The database ensures one user for an account, and one account for a user."""
    if not user.is_active:
        raise ProviderError(ProviderFault.INACTIVE, user.name)
    try:
        with transaction.atomic():
            ProviderIdentity.objects.create(user=user, issuer=issuer, subject=subject)
    except IntegrityError as error:
        raise ProviderError(ProviderFault.OTHER_IDENTITY, user.name) from error
    detail = f"{issuer} {subject}"
    audit.record(Event.IDENTITY_BOUND, user=user, origin=origin, detail=detail)


def unbind(
    identity: ProviderIdentity, *, actor: PbxUser | None, origin: Origin
) -> None:
    identity.delete()
    audit.record(
        Event.IDENTITY_UNBOUND,
        user=identity.user,
        actor=actor,
        origin=origin,
        detail=f"{identity.issuer} {identity.subject}",
    )


def _user_named(name: str) -> PbxUser:
    user = PbxUser.objects.filter(name_key=name_key(name)).first()
    if user is None or not is_same_name(user.name, name):
        raise ProviderError(ProviderFault.NO_USER, name)
    return user
