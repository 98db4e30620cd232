"""The provider's clients: allauth's rows, which follow the client applications."""

from __future__ import annotations

import logging
from datetime import timedelta

from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.models import Client as RegisteredClient
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from authconfig.clients.choices import AsksBy, Kind
from authconfig.clients.models import ClientApplication
from authconfig.clients.session_kinds import SESSION_KEY
from authconfig.models import current_rules
from authconfig.policy import methods_for
from authconfig.users.changes import hold_sessions
from pbxsite.gateway.openid.hashers import RandomSecretHasher
from pbxsite.gateway.openid.models import Grant, OpenIdClient

logger = logging.getLogger(__name__)
SCOPES = ("openid", "profile", "email")
Grants = RegisteredClient.GrantType
TOLD_AGAIN_AFTER = timedelta(minutes=1)
TOLD_FOR = timedelta(days=7)


@transaction.atomic
def keep_in_step(openid: OpenIdClient) -> None:
    """Save what the administrator entered, and allauth's row as it follows from it."""
    if not openid.pk:
        openid.client = RegisteredClient.objects.create()
    if openid.is_public and openid.secret_made_at:
        openid.secret_made_at = None
        _set_new_secret(openid.client)
    _follow(openid.client, openid)
    openid.client.save()
    openid.save()


def _follow(client: RegisteredClient, openid: OpenIdClient) -> None:
    types = RegisteredClient.Type
    client.name = openid.application.name
    client.type = types.PUBLIC if openid.is_public else types.CONFIDENTIAL
    # Our own page asks for consent (views.py).
    client.skip_consent = True
    client.set_scopes(SCOPES)
    client.set_grant_types([Grants.AUTHORIZATION_CODE, Grants.REFRESH_TOKEN])
    client.set_response_types([RegisteredClient.ResponseType.CODE])
    client.set_redirect_uris(openid.redirect_uris.splitlines())
    client.set_post_logout_redirect_uris(openid.logout_uris.splitlines())


def new_secret(openid: OpenIdClient) -> str:
    """Return a new secret, of which only a hash is kept; the old one ends."""
    secret = _set_new_secret(openid.client)
    openid.secret_made_at = timezone.now()
    with transaction.atomic():
        openid.client.save(update_fields=["secret"])
        openid.save(update_fields=["secret_made_at"])
    return secret


def _set_new_secret(client: RegisteredClient) -> str:
    secret: str = get_adapter().generate_client_secret()
    client.secret = make_password(secret, hasher=RandomSecretHasher.algorithm)
    return secret


@transaction.atomic
def forget(application: ClientApplication) -> None:
    own = OpenIdClient.objects.filter(application=application).values("client")
    # What it is given meanwhile would keep it from being deleted.
    hold_sessions(Grant.objects.filter(client__in=own).values_list("user", flat=True))
    RegisteredClient.objects.filter(pk__in=own).delete()


def find(client_id: str) -> OpenIdClient | None:
    asking = ClientApplication.objects.asking_by(AsksBy.OPENID)
    found = OpenIdClient.objects.filter(client=client_id, application__in=asking)
    return found.select_related("application", "client").first()


def public_clients() -> QuerySet[OpenIdClient]:
    asking = ClientApplication.objects.asking_by(AsksBy.OPENID)
    return OpenIdClient.objects.filter(is_public=True, application__in=asking)


def note_missing_pkce(openid: OpenIdClient) -> str:
    """Note for the administrator which switch would help; return the advice."""
    if openid.is_public:
        return ""
    now = timezone.now()
    told = Q(refused_without_pkce_at__gt=now - TOLD_AGAIN_AFTER)
    untold = OpenIdClient.objects.filter(~told, pk=openid.pk)
    if untold.update(refused_without_pkce_at=now):
        logger.warning(
            "client %s asks without PKCE and is refused: if it cannot do PKCE, tick"
            " “without PKCE” on its page",
            openid.application.slug,
        )
    return "; if it cannot do PKCE, tick “without PKCE” on its page"


def lacking_pkce() -> QuerySet[OpenIdClient]:
    """Return the clients that were refused of late for want of PKCE."""
    since = timezone.now() - TOLD_FOR
    return OpenIdClient.objects.filter(
        refused_without_pkce_at__gt=since, without_pkce=False, is_public=False
    )


def is_shut(openid: OpenIdClient) -> bool:
    return not methods_for(current_rules(), Kind(openid.application.kind))


def opens(session: SessionBase, client_id: str) -> bool:
    """Say whether a session opens a client: one of its kind, if the policy lets it."""
    openid = find(client_id)
    if openid is None or is_shut(openid):
        return False
    return bool(session.get(SESSION_KEY) == openid.application.kind)
