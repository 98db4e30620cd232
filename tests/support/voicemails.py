"""Posting voicemails as a PBX does, and what comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client as Browser

from tests.support.recordings import wav
from tests.support.smtp_servers import Server
from verification.mail import sending
from verification.mail.choices import MailState
from verification.mail.models import OutgoingEmail

ADDRESS = "/PBX0/voicemail.xml"
RECORDING = wav(1.5)
CALLED = {
    "user": "anna",
    "caller": "+49 7031 73009-0",
    "caller_name": "Jörg Öztürk",
    "time": "2026-11-24T18:23:05+01:00",
    "duration": "42",
}


def post(
    pbx: Browser,
    recording: bytes = RECORDING,
    headers: dict[str, str] | None = None,
    **changes: str,
) -> HttpResponse:
    file = SimpleUploadedFile("../a.wav", recording, content_type="audio/wav")
    values: dict[str, Any] = {**CALLED, **changes, "recording": file}
    return pbx.post(ADDRESS, values, headers=headers)  # type: ignore[return-value]


def problem(response: HttpResponse, status: int) -> dict[str, Any]:
    """Check the answer's form, and that nothing came of the request."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    told: dict[str, Any] = json.loads(response.content)
    assert (told["status"], told["type"]) == (status, "about:blank")
    assert all(told[name] for name in ("title", "detail"))
    assert not OutgoingEmail.objects.exists()
    assert files() == []
    return told


def files() -> list[str]:
    place = Path(storages["recordings"].path(""))
    return sorted(p.name for p in place.iterdir()) if place.exists() else []


def arrived(server: Server) -> Any:
    mail = OutgoingEmail.objects.get()
    sending.deliver_due()
    mail.refresh_from_db()
    assert mail.state == MailState.SENT, mail.words
    (received,) = server.mails
    return received.message
