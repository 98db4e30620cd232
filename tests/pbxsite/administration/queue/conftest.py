from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client as Browser
from django.utils import timezone

from authconfig.users.models import PbxUser
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail
from verification.mail.operation import heartbeat
from verification.mail.tasks import wake_due_mails
from verification.sessions.passwords import PASSWORD_NOTICE

MailMaker = Callable[..., list[OutgoingEmail]]


@pytest.fixture(autouse=True)
def _all_run() -> None:
    wake_due_mails()
    heartbeat.begin_worker("one@host", slots=4)


@pytest.fixture
def operator(user: PbxUser) -> Browser:
    """A browser of somebody who has the ready-made group and nothing else."""
    browser = Browser()
    PbxUser.objects.filter(pk=user.pk).update(is_staff=True)
    user.groups.add(Group.objects.get(name="Operators"))
    browser.force_login(user)
    session = browser.session
    session["kind"] = "myapps"
    session.save()
    return browser


@pytest.fixture
def make_mails(user: PbxUser) -> MailMaker:
    def make(count: int, state: MailState, **facts: Any) -> list[OutgoingEmail]:
        now = timezone.now()
        values: dict[str, Any] = {
            "kind": PASSWORD_NOTICE.name,
            "user": user,
            "recipient": user.email,
            "expires_at": now + timedelta(days=1),
            "state": state,
            "ended_at": None if state == MailState.QUEUED else now,
        }
        rows = [OutgoingEmail(**values | facts) for _number in range(count)]
        return OutgoingEmail.objects.bulk_create(rows)

    return make
