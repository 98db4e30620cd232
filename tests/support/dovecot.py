"""Dovecot, which asks the site whose a token is, by the lines of the document."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from tests.harnesses.production.servers import Server
from tests.support.proxies import documented
from tests.support.services import ROOT

PROGRAM = Path("/usr/sbin/dovecot")
PAGE = ROOT / "docs" / "clients" / "dovecot.md"
# What Debian's own files say otherwise, for a server of one test.
FRAME = """
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
mail_location = maildir:{directory}/mail/%u
first_valid_uid = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
{documented}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={directory}/mail/%u
}}
"""


class Dovecot(Server):
    def __init__(self, directory: Path) -> None:
        """Take a directory that Dovecot's own user may pass through."""
        super().__init__("dovecot", directory)
        mail = directory / "mail"
        mail.mkdir()
        if os.geteuid() == 0:
            directory.chmod(0o711)
            shutil.chown(mail, "dovecot")
        self.file = directory / "dovecot.conf"
        self.command = [str(PROGRAM), "-F", "-c", str(self.file)]

    def configure(self, site: str, client_id: str, client_secret: str) -> None:
        mechanisms, asking = documented("dovecot", PAGE)
        scheme, _mark, host = site.partition("://")
        asking = self._here(
            asking,
            {
                "https://pbx.example.com/.well-known": f"{site}/.well-known",
                "https://client-id:client-secret@pbx.example.com": (
                    f"{scheme}://{client_id}:{client_secret}@{host}"
                ),
            },
        )
        file = self.directory / "dovecot-oauth2.conf.ext"
        file.write_text(asking)
        place = {"/etc/dovecot/dovecot-oauth2.conf.ext": str(file)}
        self.file.write_text(
            FRAME.format(
                directory=self.directory,
                port=self.port,
                documented=self._here(mechanisms, place),
                **_owner(),
            )
        )

    def _here(self, text: str, changes: dict[str, str]) -> str:
        for example, real in changes.items():
            assert example in text, f"The document no longer holds {example}"
            text = text.replace(example, real)
        return text


def _owner() -> dict[str, str]:
    user = "dovecot" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    entry = pwd.getpwnam(user)
    return {
        "user": user,
        "group": user,
        "uid": str(entry.pw_uid),
        "gid": str(entry.pw_gid),
    }
