"""The visits: begun with an ID token, over with their session."""

from __future__ import annotations

from datetime import timedelta

from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.models import Client as RegisteredClient
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from pbxsite.gateway.openid.models import Grant, OpenIdClient, Visit

# Longer than a delivery may take: a worker that died holds its visit no longer.
LEASE_TTL = timedelta(minutes=1)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)


def sid_of(grant: Grant) -> str:
    """Return the session's name at the client; "" if it wants to hear of no end."""
    wanting = OpenIdClient.objects.exclude(back_channel_uri="")
    if not wanting.filter(client=grant.client_id).exists():
        return ""
    subject = get_adapter().get_user_sub(grant.client, grant.user)
    visit, _is_new = Visit.objects.get_or_create(
        session=grant.session, client=grant.client, defaults={"subject": subject}
    )
    return visit.sid.hex


def forget(client_id: str, session: SessionBase) -> None:
    """Tell a client nothing that itself logs the user out."""
    of_client = Visit.objects.filter(client=client_id)
    of_client.filter(session__session_key=session.session_key).delete()


def note_ends() -> None:
    now = timezone.now()
    over = Visit.objects.filter(session=None, ended_at=None)
    over.update(ended_at=now, due_at=now)


def claim() -> Visit | None:
    """Take the next visit that is due, unless another worker is first."""
    now = timezone.now()
    due = Visit.objects.filter(due_at__lte=now).order_by("due_at", "pk")
    for visit in due[:10]:
        same = Visit.objects.filter(pk=visit.pk, due_at=visit.due_at)
        if same.update(due_at=now + LEASE_TTL, tries=F("tries") + 1):
            visit.tries += 1
            return visit
    return None


def postpone(visit: Visit, fault: str) -> None:
    """Let the client rest, with all that it is still to be told."""
    wait = min(FIRST_WAIT * 2 ** min(visit.tries - 1, 10), LONGEST_WAIT)
    due_at = timezone.now() + wait
    Visit.objects.filter(pk=visit.pk).update(due_at=due_at, fault=fault)
    others = Visit.objects.filter(client=visit.client_id, due_at__lt=due_at)
    others.update(due_at=due_at)


def find_orphans() -> None:
    """Find what a process of an older release ended without a word to the visits."""
    session = UserSession.objects.filter(pk=OuterRef("session"))
    Visit.objects.exclude(session=None).filter(~Exists(session)).update(session=None)
    client = RegisteredClient.objects.filter(pk=OuterRef("client"))
    Visit.objects.filter(~Exists(client)).delete()


def waiting_at(client_id: str) -> QuerySet[Visit]:
    """Return the visits whose end the client could not be told yet."""
    return Visit.objects.filter(client=client_id, due_at__isnull=False)
