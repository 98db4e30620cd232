"""A real Exim of the test's own, which counts and limits as Exim does by itself.

Debian installs it only instead of Postfix, so `.ci/packages unpack` puts its files into
.venv/servers. It gives its processes a user of their own, and so is started by root.
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
from signal import SIGKILL

from tests.support.certificates import Authority
from tests.support.mailboxes import await_mails
from tests.support.services import ROOT
from tests.support.site import free_port

PROGRAM = ROOT / ".venv/servers/exim4-daemon-light/usr/sbin/exim4"
USER = "Debian-exim"
LIMIT_SECONDS = 20


def _is_possible() -> bool:
    with suppress(KeyError):
        return os.geteuid() == 0 and PROGRAM.exists() and bool(pwd.getpwnam(USER))
    return False


IS_POSSIBLE = _is_possible()
# Every mailbox of example.com is there, all of them in one place. Exim delivers as
# `Debian-exim` alone, since it does not trust a configuration of others.
CONFIGURATION = """\
primary_hostname = mail.example.com
domainlist local_domains = example.com
exim_path = {program}
keep_environment =
add_environment = PATH=/usr/bin:/bin
spool_directory = {place}/spool
log_file_path = {place}/log/%slog
pid_file_path = {place}/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
acl_smtp_rcpt = check_recipient
host_lookup =
never_users =
log_selector = +pid
{options}
begin acl
check_recipient:
  require message = relay not permitted
          domains = +local_domains
  {rule}
  accept
begin routers
mailboxes:
  driver = accept
  domains = +local_domains
  transport = mailboxes
begin transports
mailboxes:
  driver = appendfile
  directory = {place}/mailboxes/all
  maildir_format
  create_directory
  user = {user}
begin retry
*  *  F,2h,15m
"""


@dataclass(frozen=True)
class Exim:
    port: int
    place: Path

    @property
    def program(self) -> Path:
        """Its user may not reach the folder of this project, but this copy."""
        return self.place / PROGRAM.name

    def command(self, *words: str) -> str:
        config = str(self.place / "exim.conf")
        command = [str(self.program), "-C", config, *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    @property
    def queued(self) -> int:
        """How many mails it has taken and not delivered."""
        return int(self.command("-bpc"))

    @property
    def log(self) -> str:
        file = self.place / "log/mainlog"
        return file.read_text() if file.exists() else ""

    def await_log(self, words: str) -> None:
        limit = time.monotonic() + LIMIT_SECONDS
        while words not in self.log:
            assert time.monotonic() < limit, self.log
            time.sleep(0.05)

    def await_mails(self, count: int, seconds: float = LIMIT_SECONDS) -> list[str]:
        return await_mails(self.place / "mailboxes", count, seconds)


@contextmanager
def running_exim(
    authority: Authority | None = None, *, options: str = "", rule: str = ""
) -> Iterator[Exim]:
    """Run one with its defaults; the authority's certificate is for "localhost"."""
    place = Path(tempfile.mkdtemp(prefix="pbx-exim-", dir="/tmp"))
    server = Exim(free_port(), place)
    shutil.copy(PROGRAM, server.program)
    _configure(server, authority, options, rule)
    server.command("-bd")
    try:
        server.await_log("listening for SMTP")
        yield server
    finally:
        _stop(place)


def _configure(
    server: Exim, authority: Authority | None, options: str, rule: str
) -> None:
    place = server.place
    place.chmod(0o755)
    for name in ("spool", "log", "mailboxes"):
        (place / name).mkdir()
        shutil.chown(place / name, USER)
    if authority:
        chain = place / "chain.pem"
        chain.touch(mode=0o640)
        shutil.chown(chain, "root", USER)
        chain.write_text(authority.server_pem())
        options += f"\ntls_certificate = {chain}\ntls_advertise_hosts = *"
    else:
        options += "\ntls_advertise_hosts ="
    words = {
        "program": server.program,
        "place": place,
        "port": server.port,
        "user": USER,
    }
    options = options.replace("PORT", str(server.port))
    text = CONFIGURATION.format(options=options, rule=rule, **words)
    (place / "exim.conf").write_text(text)


def _stop(place: Path) -> None:
    """Told to end, it and its children would write into their place once more."""
    with suppress(OSError, ValueError):
        os.killpg(int((place / "pid").read_text()), SIGKILL)
    for _ in range(20):
        shutil.rmtree(place, ignore_errors=True)
        time.sleep(0.05)
        if not place.exists():
            return
