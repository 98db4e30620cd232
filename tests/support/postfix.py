"""A real Postfix of the test's own, with STARTTLS, that keeps what it takes.

Postfix gives its processes users of their own, and so has to be started by root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from socket import create_connection

from tests.support.certificates import Authority
from tests.support.mailboxes import await_mails
from tests.support.site import free_port

LIMIT_SECONDS = 20
IS_POSSIBLE = os.geteuid() == 0 and shutil.which("postfix") is not None
MAIN = """\
compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
maillog_file_prefixes = {place}
maillog_file = {place}/log
inet_interfaces = loopback-only
myhostname = mail.example.com
mydestination =
mynetworks = 127.0.0.0/8
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = {place}/chain.pem
smtputf8_enable = yes
message_size_limit = 1000000
virtual_mailbox_domains = example.com
virtual_mailbox_base = {place}/mailboxes
virtual_mailbox_maps = inline:{{{{anna@example.com = anna/}}}}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_alias_maps =
alias_maps =
local_recipient_maps =
"""
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    port: int
    place: Path

    def await_mails(self, count: int, seconds: float = LIMIT_SECONDS) -> list[str]:
        return await_mails(self.place / "mailboxes", count, seconds)

    def await_mail_of(self, public_id: str) -> list[str]:
        """Return the Message-IDs as soon as this one is among them."""
        limit = time.monotonic() + LIMIT_SECONDS
        while public_id not in (found := self.await_mails(0)):
            if time.monotonic() > limit:
                break
            time.sleep(0.05)
        return found

    def await_mail(self, number: int = 1) -> EmailMessage:
        """Return Anna's mail of this number, the last one of all that have come."""
        limit = time.monotonic() + LIMIT_SECONDS
        while len(found := list(self.place.glob("mailboxes/anna/new/*"))) < number:
            assert time.monotonic() < limit, (self.place / "log").read_text()
            time.sleep(0.1)
        assert len(found) == number
        file = max(found, key=lambda each: each.stat().st_mtime_ns)
        message = message_from_bytes(file.read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message


@contextmanager
def running_postfix(authority: Authority, options: str = "") -> Iterator[Postfix]:
    """The server is localhost by its certificate; `options` are lines of main.cf."""
    place = Path(tempfile.mkdtemp(prefix="pbx-postfix-", dir="/tmp"))
    server = Postfix(free_port(), place)
    _configure(server, authority, options)
    command = ["/usr/sbin/postfix", "-c", str(place / "etc")]
    subprocess.run([*command, "start"], check=True, capture_output=True)
    try:
        _await(server)
        yield server
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True)
        shutil.rmtree(place, ignore_errors=True)


def _configure(server: Postfix, authority: Authority, options: str) -> None:
    place, nobody = server.place, pwd.getpwnam("nobody")
    place.chmod(0o755)
    for name in ("etc", "queue", "data", "mailboxes"):
        (place / name).mkdir()
    shutil.chown(place / "data", "postfix")
    shutil.chown(place / "mailboxes", "nobody")
    names = {"place": place, "uid": nobody.pw_uid, "gid": nobody.pw_gid}
    (place / "etc/main.cf").write_text(MAIN.format(**names) + options)
    (place / "etc/master.cf").write_text(MASTER.format(port=server.port))
    chain = place / "chain.pem"
    chain.touch(mode=0o600)
    chain.write_text(authority.server_pem())


def _await(server: Postfix) -> None:
    limit = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < limit:
        try:
            with create_connection(("127.0.0.1", server.port), 1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError((server.place / "log").read_text())
