"""Making and revoking the voicemail key, on the page and on the command line."""

from __future__ import annotations

import re
import time
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from authconfig.choices import Event
from authconfig.users.models import AuditEvent, PbxUser
from tests.conftest import SettingsSetter
from tests.support.html import Page
from tests.support.recordings import wav
from tests.verification.voicemail.conftest import directory  # noqa: F401
from verification.mail.models import OutgoingEmail
from verification.voicemail import keys
from verification.voicemail.mails import VOICEMAIL
from verification.voicemail.models import Voicemail, VoicemailKey

PAGE = "/admin/authconfig/authenticationsettings/"
MAKE, REVOKE = f"{PAGE}voicemail-key/make/", f"{PAGE}voicemail-key/revoke/"
KEY = re.compile(r"pbxvm_[\w-]{43}")


def present(browser: Browser, path: str) -> str:
    found = Page(browser.get(path).content.decode()).find(name="present")
    return found[0]["value"]


def made(browser: Browser) -> str:
    response = browser.post(MAKE, {"present": present(browser, MAKE)})
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    found = set(KEY.findall(response.content.decode()))
    assert len(found) == 1
    return found.pop()


def told(event: Event) -> list[str]:
    events = AuditEvent.objects.filter(event=event).select_related("actor")
    return [f"{e.actor} {e.address}" for e in events]


def test_a_key_is_made_and_shown_once(
    admin_client_myapps: Browser, administrator: PbxUser
) -> None:
    admin = admin_client_myapps
    assert "There is no key" in admin.get(PAGE).content.decode()

    key = made(admin)

    assert keys.is_right(key)
    page = admin.get(PAGE).content.decode()
    assert "Revoke the key" in page
    assert key not in page
    assert told(Event.VOICEMAIL_KEY_MADE) == ["admin 127.0.0.1"]


def test_opening_the_pages_changes_nothing(admin_client_myapps: Browser) -> None:
    key = made(admin_client_myapps)

    for path in (MAKE, REVOKE):
        assert admin_client_myapps.get(path).status_code == 200

    assert keys.is_right(key)


def test_a_page_that_is_sent_twice_makes_no_second_key(
    admin_client_myapps: Browser,
) -> None:
    asked = present(admin_client_myapps, MAKE)
    key = made(admin_client_myapps)

    for path in (MAKE, REVOKE):
        response = admin_client_myapps.post(path, {"present": asked}, follow=True)
        assert "changed meanwhile" in response.content.decode()

    assert keys.is_right(key)


def test_a_new_key_says_what_ends_and_ends_it(admin_client_myapps: Browser) -> None:
    older = made(admin_client_myapps)
    assert "stops working" in admin_client_myapps.get(MAKE).content.decode()

    newer = made(admin_client_myapps)

    assert [keys.is_right(key) for key in (older, newer)] == [False, True]


def test_a_key_is_revoked(admin_client_myapps: Browser) -> None:
    key = made(admin_client_myapps)
    asked = {"present": present(admin_client_myapps, REVOKE)}

    response = admin_client_myapps.post(REVOKE, asked, follow=True)

    assert "is revoked" in response.content.decode()
    assert not keys.is_right(key)
    assert told(Event.VOICEMAIL_KEY_REVOKED) == ["admin 127.0.0.1"]


@pytest.mark.parametrize("path", [MAKE, REVOKE])
def test_an_old_login_is_asked_again(admin_client_myapps: Browser, path: str) -> None:
    session = admin_client_myapps.session
    session["began_at"] = time.time() - 3600
    session.save()

    response = admin_client_myapps.post(path, {"present": ""})

    assert response.status_code == 302
    assert "/account/confirm/" in response["Location"]
    assert not VoicemailKey.objects.exists()


@pytest.mark.parametrize("path", [MAKE, REVOKE])
def test_nobody_else_makes_a_key(user: PbxUser, path: str) -> None:
    PbxUser.objects.filter(pk=user.pk).update(is_staff=True)
    browser = Browser()
    browser.force_login(user)
    session = browser.session
    session.update({"kind": "myapps", "began_at": time.time()})
    session.save()

    assert browser.post(path, {"present": ""}).status_code == 403
    assert Browser().get(path).status_code == 302


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
