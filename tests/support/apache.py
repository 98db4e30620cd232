"""Apache with mod_auth_openidc, run with the very lines of docs/clients.md."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.harnesses.production.servers import Server
from tests.support.certificates import Authority, make_authority
from tests.support.proxies import documented

MODULES = "/usr/lib/apache2/modules"
# What `a2enmod` loads on Debian, of what the document's lines need.
NEEDED = (
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "ssl",
    "proxy",
    "proxy_http",
    "auth_openidc",
)


class Apache(Server):
    """It has its address before it is known as a client, and its file afterwards."""

    def __init__(self, directory: Path, authority: Authority | None = None) -> None:
        super().__init__("apache2", directory)
        self.file, self.pem = directory / "apache2.conf", directory / "server.pem"
        self.pem.write_text((authority or make_authority()).server_pem())
        self.address = f"https://127.0.0.1:{self.port}"
        program = ["/usr/sbin/apache2", "-DFOREGROUND"]
        self.command = [*program, "-d", str(directory), "-f", str(self.file)]

    def configure(
        self,
        site: str,
        page_port: int,
        client_id: str,
        secret: str,
        *,
        without: tuple[str, ...] = (),
    ) -> None:
        """Use the document's lines, but for those that begin with a word of `without`.

        What is left out has the module's default.
        """
        here = {
            "*:443": f"127.0.0.1:{self.port}",
            "https://pbx.example.com": site,
            "https://apps.example.com": self.address,
            "apps.example.com": "127.0.0.1",
            "/etc/ssl/apps/fullchain.pem": str(self.pem),
            "/etc/ssl/apps/privkey.pem": str(self.pem),
            "127.0.0.1:9000": f"127.0.0.1:{page_port}",
            " client-id": f" {client_id}",
            " client-secret": f" {secret}",
        }
        (host,) = documented("apache")
        for word in without:
            host, count = re.subn(rf"^ *{word} .*\n", "", host, flags=re.MULTILINE)
            assert count, f"The document no longer holds {word}"
        for example, real in here.items():
            assert example in host, f"The document no longer holds {example}"
            host = host.replace(example, real)
        self.file.write_text(self._frame() + host)

    def _frame(self) -> str:
        """Return what Debian's own files say."""
        loads = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in NEEDED]
        # Root's children may not be root; anybody else's are himself.
        user = ["User www-data", "Group www-data"] if os.geteuid() == 0 else []
        lines = [
            *loads,
            *user,
            "ServerName 127.0.0.1",
            f"Listen 127.0.0.1:{self.port}",
            f"PidFile {self.directory}/apache2.pid",
            f"ErrorLog {self.directory}/error.log",
            f"DefaultRuntimeDir {self.directory}",
            "Mutex fcntl",
            "",
        ]
        return "\n".join(lines)
