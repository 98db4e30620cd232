"""Dovecot's submission server, which takes access tokens and hands mails to Postfix.

Debian 12 has Dovecot 2.3 and Debian 13 has 2.4, whose files are written in another way:
after its documentation ("Upgrading Dovecot CE from 2.3 to 2.4", "oauth2"), as it has
not been run yet. Both ask the provider whose mailbox a token opens (introspection, RFC
7662).
"""

from __future__ import annotations

import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.harnesses.production.servers import Server
from tests.support.certificates import Authority
from tests.support.mail_provider import MailProvider
from tests.support.postfix import IS_POSSIBLE as POSTFIX_IS_POSSIBLE
from tests.support.postfix import Postfix, running_postfix

PROGRAM = Path("/usr/sbin/dovecot")
SUBMISSION = Path("/usr/lib/dovecot/submission")
IS_POSSIBLE = POSTFIX_IS_POSSIBLE and PROGRAM.exists() and SUBMISSION.exists()
# Dovecot 2.3 would end it at a space.
PASSWORD = "the-mailbox's-password"
COMMON = """\
base_dir = {place}/run
state_dir = {place}/state
log_path = {place}/dovecot.log
protocols = submission
listen = 127.0.0.1
hostname = mail.example.com
ssl = required
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
submission_relay_host = 127.0.0.1
submission_relay_port = {relay_port}
submission_relay_ssl = no
first_valid_uid = 0
service anvil {{
  chroot =
  # Without it, each refused login would make the next one wait longer.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service submission-login {{
  chroot =
  {endless}
  client_limit = 200
  inet_listener submission {{
    port = {port}
  }}
  inet_listener submissions {{
    port = 0
  }}
}}
"""
OLDER = """\
ssl_cert = <{place}/chain.pem
ssl_key = <{place}/chain.pem
mail_location = maildir:{place}/mail/%u
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {place}/oauth2.conf
}}
passdb {{
  driver = static
  mechanisms = plain login
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={place}/mail/%u
}}
"""
OLDER_ENDLESS = "service_count = 0"
OLDER_ASKING = """\
introspection_mode = post
introspection_url = {introspection}
force_introspection = yes
active_attribute = active
active_value = true
username_attribute = mailbox
timeout_msecs = 5000
"""
NEWER_ENDLESS = "restart_request_count = unlimited"
NEWER = """\
ssl_server_cert_file = {place}/chain.pem
ssl_server_key_file = {place}/chain.pem
mail_driver = maildir
mail_path = {place}/mail/%{{user}}
oauth2 {{
  introspection_mode = post
  introspection_url = {introspection}
  force_introspection = yes
  active_attribute = active
  active_value = true
  username_attribute = mailbox
}}
# Since 2.4 the mechanisms of tokens ask by themselves, without a passdb.
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {place}/mail/%{{user}}
  }}
}}
"""


@cache
def version() -> tuple[int, int, int]:
    done = subprocess.run([PROGRAM, "--version"], check=True, capture_output=True)
    major, minor, patch = done.stdout.decode().split()[0].split(".")[:3]
    return int(major), int(minor), int(patch)


class _Dovecot(Server):
    def __init__(self, place: Path) -> None:
        super().__init__("dovecot", place)
        self.file = place / "dovecot.conf"
        self.command = [str(PROGRAM), "-F", "-c", str(self.file)]

    def configure(
        self, provider: MailProvider, postfix: Postfix, pem: str, mechanisms: str
    ) -> None:
        place, owner = self.directory, pwd.getpwnam("dovecot")
        place.chmod(0o711)
        (place / "mail").mkdir()
        shutil.chown(place / "mail", "dovecot")
        (place / "chain.pem").touch(mode=0o600)
        (place / "chain.pem").write_text(pem)
        values: dict[str, Any] = {
            "place": place,
            "port": self.port,
            "relay_port": postfix.port,
            "introspection": provider.introspection_url,
            "password": PASSWORD,
            "mechanisms": mechanisms,
            "uid": owner.pw_uid,
            "gid": owner.pw_gid,
        }
        (place / "oauth2.conf").write_text(OLDER_ASKING.format(**values))
        self.file.write_text(_text(version(), values))


def _text(version: tuple[int, int, int], values: dict[str, Any]) -> str:
    if version < (2, 4, 0):
        return (COMMON + OLDER).format(**values, endless=OLDER_ENDLESS)
    number = ".".join(map(str, version))
    heads = (f"dovecot_{name}_version = {number}\n" for name in ("config", "storage"))
    return "".join(heads) + (COMMON + NEWER).format(**values, endless=NEWER_ENDLESS)


@dataclass(frozen=True)
class Submission:
    """Where the site sends to, and where the mails arrive."""

    port: int
    postfix: Postfix
    authority: Authority
    place: Path

    @property
    def log(self) -> str:
        return (self.place / "dovecot.log").read_text()

    def settings(self) -> dict[str, Any]:
        """Return the fields of the page that lead here."""
        return {
            "smtp_server": "localhost",
            "smtp_port": self.port,
            "smtp_security": "starttls",
            "smtp_ca_certificate": self.authority.ca_pem,
        }


@contextmanager
def running_submission(
    provider: MailProvider,
    authority: Authority,
    mechanisms: str = "xoauth2 oauthbearer plain",
    options: str = "",
) -> Iterator[Submission]:
    """Run both; `mechanisms` are what Dovecot offers, `options` lines of main.cf."""
    clear = "smtpd_tls_security_level = may\n"
    place = Path(tempfile.mkdtemp(prefix="pbx-dovecot-", dir="/tmp"))
    with running_postfix(authority, clear + options) as postfix:
        dovecot = _Dovecot(place)
        dovecot.configure(provider, postfix, authority.server_pem(), mechanisms)
        dovecot.start()
        try:
            yield Submission(dovecot.port, postfix, authority, place)
        finally:
            dovecot.stop()
            shutil.rmtree(place, ignore_errors=True)
