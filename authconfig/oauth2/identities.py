"""Which PBX user a provider's claims name, and whose the account is from then on.

An account is bound once, and found by its issuer and subject ever after.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.db import IntegrityError, transaction
from django.utils import timezone

from authconfig.choices import Event, Method, Origin
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings, current_rules
from authconfig.names import name_key, pbx_name, without_invisible
from authconfig.oauth2.discovery import issuer_of
from authconfig.oauth2.faults import ProviderError, ProviderFault
from authconfig.oauth2.models import ProviderIdentity
from authconfig.policy import methods_for
from authconfig.users import audit
from authconfig.users.models import PbxUser

LONGEST_NAME = 254
EMAIL = "email"
# The claims of the ID token and of UserInfo: {"id_token": …, "userinfo": …}.
ProviderClaims = Mapping[str, Mapping[str, Any]]


class Domains(Protocol):
    """The part of the rules that the mapping reads."""

    @property
    def oauth2_upn_claim(self) -> str: ...
    @property
    def oauth2_domain(self) -> str: ...
    @property
    def pbx_domain(self) -> str: ...


@dataclass(frozen=True)
class ConnectedAccount:
    """What Account security shows of the user's account at the provider."""

    provider: str
    connected_at: datetime | None


def connection_of(user: PbxUser) -> ConnectedAccount | None:
    rules = current_rules()
    if Method.OAUTH2 not in methods_for(rules, Kind.MYAPPS):
        return None
    issuer = issuer_of(rules.oauth2_well_known_url)
    kept = user.identities.filter(issuer__in=(issuer, f"{issuer}/")).first()
    return ConnectedAccount(
        rules.oauth2_provider_name, kept.created_at if kept else None
    )


def identity_of(claims: ProviderClaims) -> tuple[str, str]:
    return claims["id_token"]["iss"], claims["id_token"]["sub"]


def mapped_name(claims: ProviderClaims, rules: Domains) -> str:
    return pbx_name_of((claims["id_token"], claims["userinfo"]), rules)


def pbx_name_of(sources: Iterable[Mapping[str, Any]], rules: Domains) -> str:
    """Return the PBX user's name; raise ProviderError where the claims name nobody.

    The original's two examples: without a domain `user@example.com` is that user, and
    with the domain `example.com` it is `user`. The first source that has the claim
    decides alone: `email_verified` in another source may be about another address.
    """
    claim = rules.oauth2_upn_claim
    source = next((source for source in sources if claim in source), {})
    value = source.get(claim)
    if not isinstance(value, str) or not _is_plain(value):
        raise ProviderError(ProviderFault.NO_UPN, claim)
    # Some providers send the boolean as a word.
    if claim == EMAIL and source.get("email_verified") not in (True, "true"):
        raise ProviderError(ProviderFault.UNVERIFIED_EMAIL)
    return pbx_name(value, domains=(rules.oauth2_domain, rules.pbx_domain))


def _is_plain(value: str) -> bool:
    """Domains decide who logs in, so theirs are compared with what is invisible."""
    user, at, domain = value.rpartition("@")
    seen = f"{without_invisible(user)}@{domain}" if at else without_invisible(value)
    return (
        0 < len(seen) <= len(value) <= LONGEST_NAME
        and value == value.strip()
        and not any(unicodedata.category(char).startswith("C") for char in seen)
    )


def is_same_name(one: str, other: str) -> bool:
    """Compare without case, more strictly than the login form.

    To the provider “ﬁona” and “fiona” are two people; to the login form they are one.
    """
    return _lowered(one) == _lowered(other)


def _lowered(name: str) -> str:
    return unicodedata.normalize("NFC", without_invisible(name)).lower()


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
        raise ProviderError(ProviderFault.NO_USER, without_invisible(name))
    return user
