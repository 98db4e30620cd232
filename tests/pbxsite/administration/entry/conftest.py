"""Users with this and without that."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.utils import timezone

from authconfig.users.models import PbxUser
from verification.sessions.models import FactorBinding


def give_factor(user: PbxUser, approver: str = "", kind: str = "totp") -> None:
    factor = Authenticator.objects.create(user=user, type=kind, data={"secret": "s"})
    approved_at = timezone.now() if approver else None
    FactorBinding.objects.create(
        factor=factor, approver=approver, approved_at=approved_at
    )


def give_session(user: PbxUser, kind: str = "myapps", hours: int = 1) -> None:
    key, ends = f"session{user.pk}{kind}", timezone.now() + timedelta(hours=hours)
    Session.objects.create(session_key=key, expire_date=ends)
    UserSession.objects.create(
        user=user, ip="192.0.2.1", session_key=key, data={"kind": kind}
    )


@pytest.fixture
def thousand(db: None) -> list[PbxUser]:
    """A thousand users; every second one has a password."""
    made = [
        PbxUser(name=f"u{number:04}", email=f"u{number}@example.com" * (number % 3 > 0))
        for number in range(1000)
    ]
    for number, user in enumerate(made):
        user.password = "md5$salt$hash" if number % 2 else "!none"
    return PbxUser.objects.bulk_create(made)
