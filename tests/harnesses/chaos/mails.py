"""The mails of a run, queued by the flows that logins and voicemails go through."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from django.core.files.base import ContentFile

from authconfig.choices import Method, Origin
from authconfig.clients.choices import Kind
from authconfig.models import AuthenticationSettings
from authconfig.users.models import PbxUser
from tests.harnesses.chaos.watch import NAME, PASSWORD
from tests.support.recordings import wav
from verification.approval import flows as approval_flows
from verification.approval.choices import LoginFacts
from verification.approval.models import LoginSession
from verification.mail.models import OutgoingEmail
from verification.voicemail import flows

HERE = Origin("192.0.2.7", "Firefox")
FACTS = LoginFacts(Kind.MYAPPS, Method.PASSWORD, HERE, "en")
VOICEMAIL_SHARE = 0.3
RECORDING = wav(2)


def set_up(smtp_port: int, login: Mapping[str, Any]) -> None:
    """`login` are the settings of a login at the server, if it wants one."""
    AuthenticationSettings.load()
    AuthenticationSettings.objects.update(
        two_factor=True,
        verification_link="https://pbx.example/PBX0/session.xml",
        smtp_server="127.0.0.1",
        smtp_port=smtp_port,
        smtp_email_address="pbx@example.com",
        **({"smtp_security": "none"} | dict(login)),
    )


def add_watcher() -> None:
    """Make the user who logs in again and again."""
    PbxUser.objects.create_user(NAME, PASSWORD)


def address(number: int) -> str:
    return f"user{number}@example.com"


@dataclass
class Queue:
    """Each mail has a user of its own, so that an address names a mail."""

    count: int
    random: Random
    queued: int = 0
    queued_at: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._users = PbxUser.objects.bulk_create(
            PbxUser(name=f"user{n}", email=address(n)) for n in range(self.count)
        )

    @property
    def is_done(self) -> bool:
        return self.queued == self.count

    def add(self, count: int) -> None:
        for _ in range(min(count, self.count - self.queued)):
            user = self._users[self.queued]
            self.queued_at[user.email] = time.time()
            self._queue(user)
            self.queued += 1

    def _queue(self, user: PbxUser) -> None:
        if self.random.random() < VOICEMAIL_SHARE:
            recording = ContentFile(RECORDING, "a.wav")
            posted = flows.PostedVoicemail(user.name, recording, caller="0711123456")
            queued: object = flows.take(posted, HERE)
            assert isinstance(queued, OutgoingEmail), queued
        else:
            login = approval_flows.start_login(user, FACTS)
            assert isinstance(login, LoginSession), login
