"""Logins of clients that go on in a browser, at the OpenID provider.

The client shows an address. The browser that opens it asks whether somebody wants to
log this client in, and leads to the provider. What the provider says of the user is
handed to the one connection that asked; the browser itself is not signed in by it.
"""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from authconfig.choices import Origin
from authconfig.users.models import PbxUser
from pbxsite.gateway.myapps.models import BrowserLogin, BrowserState
from verification.login.oauth2 import lead_to_provider, turned_away_elsewhere
from verification.login.stages import ELSEWHERE_KEY, Shown, shown_elsewhere
from verification.redis_access import announce_login
from verification.sessions.reauthentication import is_recently_authenticated

# In the browser's session: whom its last page names.
SHOWN_AS_KEY = "myapps_shown_as"


def ask(origin: Origin) -> BrowserLogin:
    # What connections left behind that ended with their process.
    BrowserLogin.objects.filter(expires_at__lte=timezone.now()).delete()
    return BrowserLogin.objects.create(
        user_agent=origin.user_agent,
        address=origin.address or None,
        expires_at=timezone.now() + settings.LOGIN_SESSION_TTL,
    )


def address_of(login: BrowserLogin) -> str:
    path = reverse("myapps:confirm", args=[login.public_id])
    return f"{settings.SITE_URL}{path}"


def find(public_id: uuid.UUID) -> BrowserLogin | None:
    """Return a login that nobody has confirmed yet, and whose client still waits."""
    asked = BrowserLogin.objects.live().filter(state=BrowserState.ASKED)
    return asked.filter(public_id=public_id).first()


def begin(request: HttpRequest, login: BrowserLogin) -> HttpResponse:
    """Confirm the login in this browser, once, and lead on to the provider.

    Whoever is signed in here is asked again if that was long ago.
    """
    if request.user.is_authenticated and not is_recently_authenticated(request):
        raise ReauthenticationRequired
    if not _move(login.public_id, BrowserState.ASKED, BrowserState.CONFIRMED):
        return _gone(login.public_id)
    request.session[ELSEWHERE_KEY] = login.public_id.hex
    return lead_to_provider(request, wanted=_way_back(login.public_id))


def refuse(login: BrowserLogin) -> bool:
    """End it before anybody has shown anything; its client hears of it at once."""
    return _move(login.public_id, BrowserState.ASKED, BrowserState.FAILED)


@receiver(shown_elsewhere)
def hand_over(
    request: HttpRequest, shown: Shown, wanted: str, **_: Any
) -> HttpResponse | None:
    """Take what the browser has shown, if it is for the login confirmed in it.

    `wanted` is the address that this very round trip to the provider leads to: an
    abandoned login of a client gets nothing from a later login of the browser.
    """
    public_id = uuid.UUID(request.session[ELSEWHERE_KEY])
    if wanted != _way_back(public_id) or shown.account is None:
        return None
    del request.session[ELSEWHERE_KEY]
    issuer, subject = shown.account
    facts = {
        "user": shown.user,
        "issuer": issuer,
        "subject": subject,
        "provider_login": shown.provider_login,
        "factor": shown.factor,
        "is_used_up": shown.is_used_up,
        "source": shown.source,
        "auth_hash": shown.user.get_session_auth_hash(),
    }
    is_taken = _move(public_id, BrowserState.CONFIRMED, BrowserState.SHOWN, **facts)
    if not is_taken:
        return _gone(public_id)
    request.session[SHOWN_AS_KEY] = shown.user.name
    return redirect("myapps:back")


@receiver(turned_away_elsewhere)
def fail(request: HttpRequest, **_: Any) -> None:
    """Tell the client at once that nothing will come of it."""
    public_id = uuid.UUID(request.session.pop(ELSEWHERE_KEY))
    _move(public_id, BrowserState.CONFIRMED, BrowserState.FAILED)


def take(login: BrowserLogin) -> BrowserLogin | None:
    """Give what was shown to the connection that asked, once."""
    if not _move(login.public_id, BrowserState.SHOWN, BrowserState.TAKEN):
        return None
    taken = BrowserLogin.objects.select_related("user", "factor").get(pk=login.pk)
    return taken if _is_unchanged(taken) else None


def _is_unchanged(login: BrowserLogin) -> bool:
    user = login.user
    assert isinstance(user, PbxUser)
    return user.is_active and user.is_bound_by(login.auth_hash)


def forget(login_pk: int) -> None:
    """The connection is gone: its address leads nowhere any more."""
    BrowserLogin.objects.filter(pk=login_pk).delete()


def _gone(public_id: uuid.UUID) -> HttpResponse:
    """Its page says that nothing is asked here any more."""
    return redirect("myapps:confirm", public_id)


def _way_back(public_id: uuid.UUID) -> str:
    return f"{reverse('myapps:back')}?login={public_id.hex}"


def _move(
    public_id: uuid.UUID, source: BrowserState, target: BrowserState, /, **facts: Any
) -> bool:
    rows = BrowserLogin.objects.live().filter(public_id=public_id, state=source)
    with transaction.atomic():
        moved = rows.update(state=target, **facts) == 1
        if moved:
            transaction.on_commit(partial(announce_login, public_id, 0))
    return moved
