"""Uploads at a real web server: huge, endless, interrupted."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests

from authconfig.users.models import PbxUser
from tests.conftest import SettingsSetter
from tests.support.recordings import wav
from tests.support.server import running_server
from verification.mail.models import OutgoingEmail
from verification.voicemail import keys

# Once is enough: these are about files, not about the database.
pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
PATH = "/PBX0/voicemail.xml"
MB = 1024 * 1024
# With VOICEMAIL_MAX_MB=1: a file of users may be larger than a recording.
BODY_LIMIT = 4 * MB + 64 * 1024
LIMIT = 10.0


@dataclass(frozen=True)
class Site:
    port: int
    pid: int
    key: str
    directory: Path

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "Content-Type": FORM}

    def open_files(self) -> list[str]:
        """Return the uploads that the process still holds, also nameless ones."""
        handles = Path(f"/proc/{self.pid}/fd").iterdir()
        targets = [str(h.readlink()) for h in handles if h.is_symlink()]
        return [target for target in targets if str(self.directory) in target]

    def left(self) -> list[str]:
        return [p.name for p in self.directory.rglob("*") if p.is_file()]


FORM = "multipart/form-data; boundary=b"
START = (
    b'--b\r\nContent-Disposition: form-data; name="user"\r\n\r\nanna\r\n'
    b'--b\r\nContent-Disposition: form-data; name="recording"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\n"
)


@pytest.fixture
def site(tmp_path: Path, configure: SettingsSetter, user: PbxUser) -> Iterator[Site]:
    configure(smtp_server="127.0.0.1", smtp_email_address="pbx@example.com")
    key = keys.make(actor=None)
    places = {"TMPDIR": tmp_path, "RECORDINGS_DIR": tmp_path / "recordings"}
    environment = {name: str(path) for name, path in places.items()}
    with running_server(VOICEMAIL_MAX_MB="1", **environment) as (port, process):
        yield Site(port, process.pid, key, tmp_path)


def assert_nothing_is_left(site: Site) -> None:
    limit = time.monotonic() + LIMIT
    while site.open_files() and time.monotonic() < limit:
        time.sleep(0.05)
    assert (site.open_files(), site.left()) == ([], [])
    assert not OutgoingEmail.objects.exists()


def post(site: Site, recording: bytes) -> requests.Response:
    url = f"http://127.0.0.1:{site.port}{PATH}"
    headers = {"Authorization": f"Bearer {site.key}"}
    files = {"recording": ("a.wav", recording)}
    return requests.post(
        url, {"user": "anna"}, files=files, headers=headers, timeout=30
    )


def test_a_recording_is_taken_and_one_that_is_too_large_is_not(site: Site) -> None:
    too_large = post(site, wav(1) + b"\0" * MB)

    assert too_large.status_code == 413
    assert_nothing_is_left(site)
    assert post(site, wav(60)).status_code == 202
    assert len(site.left()) == 1


@pytest.mark.long
def test_a_recording_in_chunks_is_taken(site: Site) -> None:
    recording = wav(60)
    body = [START, recording[:999], recording[999:], b"\r\n--b--\r\n"]

    # requests sends what has no length in chunks.
    url = f"http://127.0.0.1:{site.port}{PATH}"
    answer = requests.post(url, iter(body), headers=site.headers, timeout=30)

    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    assert answer.status_code == 202, answer.text
    (name,) = site.left()
    assert (site.directory / "recordings" / name).read_bytes() == recording


def test_what_says_that_it_is_huge_is_refused_before_it_comes(site: Site) -> None:
    asked = HTTPConnection("127.0.0.1", site.port, timeout=LIMIT)
    asked.putrequest("POST", PATH)
    for name, value in {**site.headers, "Content-Length": str(10**12)}.items():
        asked.putheader(name, value)
    asked.endheaders()

    answer = asked.getresponse()

    assert answer.status == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = json.loads(answer.read())
    assert told["status"] == 413
    assert f"{MB} bytes (VOICEMAIL_MAX_MB)" in told["detail"]
    assert_nothing_is_left(site)


@pytest.mark.long
def test_what_has_no_end_is_cut_off(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=LIMIT) as line:
        head = "".join(f"{n}: {v}\r\n" for n, v in site.headers.items())
        head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}"
        line.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        line.sendall(b"%x\r\n%s\r\n" % (len(START), START))
        sent, piece = 0, b"10000\r\n" + bytes(0x10000) + b"\r\n"
        try:
            while sent < 20 * BODY_LIMIT:
                line.sendall(piece)
                sent += len(piece)
        except OSError:
            pass  # the server has hung up

    # What the system's buffers hold comes on top.
    assert sent < 5 * BODY_LIMIT
    assert_nothing_is_left(site)


# More than stays in memory, so that there is a file to leave.
PART, WHOLE = 3 * MB, 4 * MB


def begun(site: Site, headers: dict[str, str], path: str = PATH) -> HTTPConnection:
    """Send the first part of a large upload."""
    asked = HTTPConnection("127.0.0.1", site.port, timeout=LIMIT)
    asked.putrequest("POST", path)
    for name, value in {**headers, "Content-Length": str(WHOLE)}.items():
        asked.putheader(name, value)
    asked.endheaders(START)
    asked.send(bytes(PART))
    return asked


@pytest.mark.long
@pytest.mark.parametrize("path", [PATH, "/admin/users/pbxuser/import/"])
def test_what_a_stranger_uploads_is_kept_nowhere(site: Site, path: str) -> None:
    with closing(begun(site, {"Content-Type": FORM}, path)) as asked:
        time.sleep(0.3)
        assert site.open_files() == []

        asked.send(bytes(WHOLE - PART - len(START)))
        # A file of users: 403, on a page whose files this server does not have.
        assert asked.getresponse().status == (401 if path == PATH else 500)
    assert_nothing_is_left(site)


@pytest.mark.long
def test_an_upload_that_breaks_off_leaves_nothing(site: Site) -> None:
    asked = begun(site, site.headers)
    limit = time.monotonic() + LIMIT
    while not site.open_files() and time.monotonic() < limit:
        time.sleep(0.02)
    assert site.open_files(), "the upload has not begun"

    asked.close()

    assert_nothing_is_left(site)
    assert post(site, wav(1)).status_code == 202
