"""A real OpenSMTPD of the test's own.

Its places are compiled in, so it runs where the mounts are its own, which only root can
have. Its files are in .venv/servers, like Exim's.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection

from tests.support.mailboxes import await_mails
from tests.support.services import ROOT
from tests.support.site import free_port

FILES = ROOT / ".venv/servers/opensmtpd"
LIMIT_SECONDS = 20
CONFIGURATION = """\
{options}
listen on 127.0.0.1 port {port} hostname mail.example.com
action "keep" maildir "{place}/mailboxes/all" user nobody
match from any for domain "example.com" action "keep"
"""
# {files} and {place} hold no blanks.
START = """\
set -e
mount --make-rprivate /
for each in /var/spool /var/lib /run; do mount -t tmpfs none $each; done
mkdir -p -m 711 /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/lib/opensmtpd
mount --bind {files}/usr/libexec /usr/libexec
exec {files}/usr/sbin/smtpd -d -f {place}/smtpd.conf
"""


def _is_possible() -> bool:
    with suppress(KeyError, OSError, subprocess.CalledProcessError):
        pwd.getpwnam("opensmtpq")
        subprocess.run(["unshare", "-m", "true"], check=True, capture_output=True)
        return os.geteuid() == 0 and FILES.exists()
    return False


IS_POSSIBLE = _is_possible()


@dataclass(frozen=True)
class OpenSmtpd:
    port: int
    place: Path

    def await_mails(self, count: int, seconds: float = LIMIT_SECONDS) -> list[str]:
        return await_mails(self.place / "mailboxes", count, seconds)


@contextmanager
def running_opensmtpd(options: str = "") -> Iterator[OpenSmtpd]:
    """It knows the mailboxes of this machine's users, such as nobody@example.com."""
    place = Path(tempfile.mkdtemp(prefix="pbx-opensmtpd-", dir="/tmp"))
    place.chmod(0o755)
    server = OpenSmtpd(free_port(), place)
    (place / "mailboxes").mkdir()
    shutil.chown(place / "mailboxes", "nobody")
    words = {"port": server.port, "place": place, "files": FILES}
    text = CONFIGURATION.format(options=options, **words)
    (place / "smtpd.conf").write_text(text)
    with (place / "log").open("wb") as log:
        command = ["unshare", "-m", "sh", "-c", START.format(**words)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await(server)
        yield server
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)
        shutil.rmtree(place, ignore_errors=True)


def _await(server: OpenSmtpd) -> None:
    limit = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < limit:
        with suppress(OSError), create_connection(("127.0.0.1", server.port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError((server.place / "log").read_text())
