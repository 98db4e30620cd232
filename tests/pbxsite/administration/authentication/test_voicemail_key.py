"""The voicemail key on the command line, and voicemails that it posts."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.support.recordings import wav
from tests.verification.voicemail.conftest import directory  # noqa: F401
from verification.mail.models import OutgoingEmail
from verification.voicemail import keys
from verification.voicemail.mails import VOICEMAIL
from verification.voicemail.models import Voicemail

KEY = re.compile(r"pbxvm_[\w-]{43}")


def told(event: Event) -> list[str]:
    events = AuditEvent.objects.filter(event=event).select_related("actor")
    return [f"{e.actor} {e.address}" for e in events]


def output(*words: str) -> str:
    stdout = StringIO()
    call_command(*words, stdout=stdout)
    return stdout.getvalue().strip()


@pytest.mark.django_db
def test_the_command_line_makes_shows_and_revokes() -> None:
    assert output("voicemailkey", "show") == "key: none"
    key = output("voicemailkey", "make")

    assert KEY.fullmatch(key)
    assert keys.is_right(key)
    shown = output("voicemailkey", "show")
    assert "/PBX0/voicemail.xml" in shown
    assert key not in shown
    assert output("voicemailkey", "revoke") == "Revoked."
    assert output("voicemailkey", "revoke") == "There was no key."
    assert told(Event.VOICEMAIL_KEY_REVOKED) == ["None None"]


@pytest.fixture
def account(configure: SettingsSetter, user: PbxUser) -> None:
    configure(smtp_server="127.0.0.1", smtp_email_address="pbx@example.com")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "message.wav"
    path.write_bytes(wav(2))
    return path


@pytest.mark.usefixtures("account")
def test_sendvoicemail_queues_the_recording(file: Path) -> None:
    words = ("--idempotency-key", "one", "--caller", "0711123456")

    ids = [output("sendvoicemail", "anna", str(file), *words) for _ in range(2)]

    mail = OutgoingEmail.objects.get()
    assert ids == [str(mail.public_id)] * 2
    assert mail.kind == VOICEMAIL.name
    found = Voicemail.objects.get()
    assert (found.caller, found.duration) == ("0711123456", 2)


@pytest.mark.usefixtures("account")
def test_sendvoicemail_says_what_is_wrong(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError, match="No user has this name"):
        output("sendvoicemail", "bert", str(file))
    with pytest.raises(CommandError, match=r"none.wav: No such file"):
        output("sendvoicemail", "anna", str(tmp_path / "none.wav"))
    file.write_text("no sound")
    with pytest.raises(SystemExit) as ended:
        output("sendvoicemail", "anna", str(file))

    assert ended.value.code == 1
    assert "recording: This is no audio file" in capsys.readouterr().err
    assert not OutgoingEmail.objects.exists()
