"""The proxies that may lead to the site, run with the very lines of docs/deploy.md."""

from __future__ import annotations

import os
import re
import socket
import ssl
from pathlib import Path

from tests.harnesses.production.servers import NGINX, NGINX_FILE, NGINX_FRAME, Server
from tests.support.certificates import make_authority
from tests.support.proxies import documented
from tests.support.services import ROOT
from tests.support.site import free_port

DOCUMENT = ROOT / "docs" / "deploy.md"
NAME = "pbx.example.com"
APACHE = "/usr/sbin/apache2"
APACHE_MODULES = "/usr/lib/apache2/modules"
APACHE_NEEDS = (
    *("mpm_event", "authz_core", "ssl", "headers", "deflate", "filter"),
    *("proxy", "proxy_http", "proxy_balancer", "lbmethod_byrequests"),
    *("slotmem_shm",),
)
# What people write who want everything to be compressed and kept together: the lines
# of the document, and what stands there instead.
GREEDY = {
    "nginx": {
        r"gzip_types .*;": "gzip_types *; gzip_min_length 0;",
        r"proxy_buffering off;": "proxy_buffering on;",
    },
    "apache": {
        r"AddOutputFilterByType DEFLATE .*": "SetOutputFilter DEFLATE",
    },
    "haproxy": {r"^ *compression type .*\n": ""},
    "caddy": {r"encode gzip": "encode zstd gzip"},
}


class FrontProxy(Server):
    """`changes` are done to the document's lines: a pattern, and what is there then."""

    def __init__(
        self, name: str, directory: Path, site_port: int, changes: dict[str, str]
    ) -> None:
        super().__init__(name, directory)
        self.authority = make_authority("Proxies")
        self.pem, self.file = directory / "proxy.pem", directory / f"{name}.conf"
        self.pem.write_text(self.authority.server_pem(NAME))
        frames = {
            "nginx": self._nginx,
            "apache": self._apache,
            "haproxy": self._haproxy,
            "caddy": self._caddy,
        }
        here = {
            r"10\.0\.0\.11:8000": f"127.0.0.1:{site_port}",
            # One process serves here: of the second machine there is no line.
            r"^.*server .*10\.0\.0\.12:8000.*\n|^.*BalancerMember .*\.12:8000.*\n"
            r"| 10\.0\.0\.12:8000": "",
            r"/etc/ssl/pbx/\w+\.pem": str(self.pem),
        }
        frame, lines, own = frames[name]()
        if name == "caddy":
            del here[r"/etc/ssl/pbx/\w+\.pem"]
        for pattern, value in (changes | own | here).items():
            lines, count = re.subn(pattern, value, lines, flags=re.MULTILINE)
            assert count, f"The document no longer holds {pattern}"
        self.file.write_text(frame.replace("{site}", lines))

    def _nginx(self) -> tuple[str, str, dict[str, str]]:
        self.command = [NGINX, "-c", str(self.file), "-e", "stderr"]
        frame = NGINX_FRAME.replace("{site}", "{{site}}").format(
            directory=self.directory
        )
        own = {
            r"listen \[::\]:.*": "",
            r"listen 80;": f"listen 127.0.0.1:{free_port()};",
            r"listen 443": f"listen 127.0.0.1:{self.port}",
            r"/var/log/nginx": str(self.directory),
        }
        return frame, NGINX_FILE.read_text(), own

    def _apache(self) -> tuple[str, str, dict[str, str]]:
        directory = self.directory
        self.command = [APACHE, "-DFOREGROUND", "-d", str(directory)]
        self.command += ["-f", str(self.file)]
        # Root's children may not be root; anybody else's are himself.
        user = ["User www-data", "Group www-data"] if os.geteuid() == 0 else []
        frame = [
            *(
                f"LoadModule {m}_module {APACHE_MODULES}/mod_{m}.so"
                for m in APACHE_NEEDS
            ),
            *user,
            "ServerName 127.0.0.1",
            f"Listen 127.0.0.1:{self.port}",
            f"PidFile {directory}/apache.pid",
            f"ErrorLog {directory}/error.log",
            f"DefaultRuntimeDir {directory}",
            "Mutex fcntl",
            "{site}",
        ]
        own = {
            r"\*:443": f"127.0.0.1:{self.port}",
            r"/var/log/apache2": str(directory),
        }
        (lines,) = documented("apache", DOCUMENT)
        return "\n".join(frame), lines, own

    def _haproxy(self) -> tuple[str, str, dict[str, str]]:
        self.command = ["/usr/sbin/haproxy", "-db", "-f", str(self.file)]
        (lines,) = documented("haproxy", DOCUMENT)
        return "{site}", lines, {r"bind :443": f"bind 127.0.0.1:{self.port}"}

    def _caddy(self) -> tuple[str, str, dict[str, str]]:
        place = self.directory
        self.command = [
            *("env", f"XDG_DATA_HOME={place}", f"XDG_CONFIG_HOME={place}"),
            *("caddy", "run", "--config", str(self.file), "--adapter", "caddyfile"),
        ]
        (lines,) = documented("caddy", DOCUMENT)
        host = f"https://{NAME}:{self.port} {{\n\ttls {self.pem} {self.pem}"
        frame = "{\n\tadmin off\n\tauto_https off\n}\n{site}"
        return frame, lines, {rf"^{re.escape(NAME)} \{{$": host}

    def connect(self) -> ssl.SSLSocket:
        """Return a connection as a browser has it that knows HTTP/1.1."""
        trust = ssl.create_default_context(cadata=self.authority.ca_pem)
        there = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return trust.wrap_socket(there, server_hostname=NAME)
