"""What allauth asks the site: who a user is for clients, and which keys sign."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any, Literal
from uuid import UUID

from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from allauth.idp.oidc.models import Client as RegisteredClient
from allauth.idp.oidc.models import PrivateKey
from django.conf import settings

from authconfig.models import current_rules
from authconfig.users.models import PbxUser
from pbxsite.gateway.openid import keys
from pbxsite.gateway.openid.back_channel import visits
from pbxsite.gateway.openid.models import Grant, OpenIdClient, Subject

# The request's attribute that carries its grant from our views to the ID token.
GRANT = "openid_grant"


class ProviderAdapter(DefaultOIDCAdapter):
    def generate_client_secret(self) -> str:
        """256 bits as letters and digits, which every client encodes alike."""
        return secrets.token_hex(32)

    def get_issuer(self) -> str:
        """The Host header never counts."""
        return str(settings.SITE_URL)

    def get_user_sub(self, client: RegisteredClient, user: PbxUser) -> str:
        return str(Subject.objects.get_or_create(user=user)[0])

    def get_user_by_sub(self, client: RegisteredClient, sub: str) -> PbxUser | None:
        try:
            subject = UUID(sub)
        except ValueError:
            return None
        active = PbxUser.objects.filter(is_active=True)
        return active.filter(openid_subject__value=subject).first()

    def get_claims(
        self,
        purpose: Literal["id_token", "userinfo"],
        user: PbxUser,
        client: RegisteredClient,
        scopes: Iterable[str],
        email: str | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        claims = {"sub": self.get_user_sub(client, user)}
        if "profile" in scopes:
            claims |= _profile(user)
        if "email" in scopes:
            claims["email"] = user.email
        told: dict[str, Any] = {name: value for name, value in claims.items() if value}
        if OpenIdClient.objects.telling_groups(client.pk).exists():
            told["groups"] = groups_of(user)
        return told

    def populate_id_token(
        self,
        id_token: dict[str, Any],
        client: RegisteredClient,
        scopes: Iterable[str],
        **kwargs: Any,
    ) -> None:
        grant: Grant | None = getattr(self.request, GRANT)
        if grant is None:
            return
        id_token["auth_time"] = int(grant.authenticated_at.timestamp())
        id_token["amr"] = grant.authentication_methods.split()
        if sid := visits.sid_of(grant):
            id_token["sid"] = sid

    def list_private_keys(
        self,
        *,
        did_activate: Literal[True] | None = None,
        is_active: Literal[True] | None = None,
    ) -> list[PrivateKey]:
        """A key that no key of ENCRYPTION_KEYS opens signs nothing."""
        readable = [key for key in keys.published() if key.pem]
        return [
            PrivateKey(pem=key.pem, issued_at=key.made_at, expires_at=key.over_at)
            for key in readable
        ]


def _profile(user: PbxUser) -> dict[str, str]:
    return {
        "name": user.get_full_name(),
        "preferred_username": user.name,
        "upn": principal_name(user),
        "number": user.number,
    }


def groups_of(user: PbxUser) -> list[str]:
    return list(user.groups.order_by("name").values_list("name", flat=True))


def principal_name(user: PbxUser) -> str:
    """Return user@domain: the name alone where the PBX has no domain of its own."""
    domain = current_rules().pbx_domain
    whole = "@" in user.name or not domain
    return user.name if whole else f"{user.name}@{domain}"
