"""The way in of last resort: a link for one login, made by `manage.py rescue`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.db import transaction
from django.db.models import QuerySet
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from authconfig.choices import Event, Method
from authconfig.clients.choices import Kind
from authconfig.users import audit
from authconfig.users.changes import end_sessions, sessions_ended
from authconfig.users.models import PbxUser
from verification.links import token_of
from verification.login.models import RescueLink
from verification.login.stages import Released

SALT = "pbxsite.rescue.link"
LINK_TTL = timedelta(minutes=10)


def make_link(user: PbxUser) -> str:
    """Return a link that logs the administrator in once; their sessions end."""
    with transaction.atomic():
        end_sessions([user])
        link = RescueLink.objects.create(user=user)
        audit.record(Event.RESCUED, user=user)
    token = signing.dumps(link.pk, salt=SALT)
    return f"{settings.SITE_URL}{reverse('rescue')}?id={token}"


@receiver(sessions_ended)
def void_links(users: Iterable[PbxUser], **_: Any) -> None:
    links = RescueLink.objects.filter(user__in=list(users), over_at=None)
    links.update(over_at=timezone.now())


def forget_old() -> int:
    since = audit.kept_since()
    if since is None:
        return 0
    return audit.forget(RescueLink.objects.filter(made_at__lt=since))


def _find(token: str) -> RescueLink | None:
    try:
        pk = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return None
    administrators = _open(pk).filter(user__is_active=True, user__is_staff=True)
    return administrators.select_related("user").first()


def _open(pk: int) -> QuerySet[RescueLink]:
    now = timezone.now()
    return RescueLink.objects.filter(pk=pk, over_at=None, made_at__gt=now - LINK_TTL)


def _use(link: RescueLink) -> bool:
    """Use the link up; of two uses at the same time only one finds it open.

    The condition stands on the row alone: beside a join PostgreSQL would not look at it
    again after waiting for the other use.
    """
    return _open(link.pk).update(over_at=timezone.now()) == 1


@login_not_required
@never_cache
@transaction.atomic
def rescue(request: HttpRequest) -> HttpResponse:
    """Show whom the link is for; mail scanners open links, so only the POST uses it."""
    link = _find(token_of(request.GET.get("id", "")))
    if link is None or (request.method == "POST" and not _use(link)):
        return render(
            request, "verification/approval/stale.html", status=HTTPStatus.GONE
        )
    if request.method != "POST":
        return render(request, "account/rescue.html", {"administrator": link.user})
    adapter = get_adapter()
    Released(Kind.MYAPPS, Method.RESCUE).keep(request)
    adapter.login(request, link.user)
    response: HttpResponse = adapter.post_login(
        request,
        link.user,
        email_verification="none",
        signal_kwargs=None,
        email=None,
        signup=False,
        redirect_url=reverse("admin:index"),
    )
    return response
