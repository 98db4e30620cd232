"""The door of last resort: a one-time link, made by `manage.py rescue`."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from authconfig import audit
from authconfig.choices import Client, Event, Method
from authconfig.models import PbxUser
from authconfig.users import end_sessions
from verification.stages import release

SALT = "pbxsite.rescue"
LINK_TTL = timedelta(minutes=10)


def make_link(user: PbxUser) -> str:
    """Return a link that logs the administrator in once; what goes on of his ends."""
    end_sessions([user])
    audit.record(Event.RESCUED, user=user)
    token = signing.dumps([user.pk, _last_login(user)], salt=SALT)
    return f"{settings.SITE_URL}{reverse('rescue')}?id={token}"


def _last_login(user: PbxUser) -> str:
    return user.last_login.isoformat() if user.last_login else ""


def _find(token: str) -> PbxUser | None:
    """Return whom the token is for; any login since then has used it up."""
    try:
        pk, last_login = signing.loads(token, salt=SALT, max_age=LINK_TTL)
    except signing.BadSignature:
        return None
    user = PbxUser.objects.filter(pk=pk, is_active=True, is_staff=True).first()
    return user if user and _last_login(user) == last_login else None


def _use(user: PbxUser) -> bool:
    """Of two uses at the same time only one finds the last login as it was."""
    unused = PbxUser.objects.filter(pk=user.pk, last_login=user.last_login)
    return unused.update(last_login=timezone.now()) == 1


@login_not_required
@never_cache
def rescue(request: HttpRequest) -> HttpResponse:
    """Show whom the link is for; only the POST uses it."""
    user = _find(request.GET.get("id", ""))
    if user is None or (request.method == "POST" and not _use(user)):
        return render(request, "verification/stale.html", status=HTTPStatus.GONE)
    if request.method != "POST":
        return render(request, "account/rescue.html", {"administrator": user})
    adapter = get_adapter()
    release(request, Client.MYAPPS, Method.RESCUE, approver="")
    adapter.login(request, user)
    response: HttpResponse = adapter.post_login(
        request,
        user,
        email_verification="none",
        signal_kwargs=None,
        email=None,
        signup=False,
        redirect_url=reverse("admin:index"),
    )
    return response
