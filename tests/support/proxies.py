"""The proxies of docs/clients.md, run with the very lines that stand there."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from tests.harnesses.production.servers import NGINX, NGINX_FRAME, Server
from tests.support.certificates import make_authority
from tests.support.services import ROOT

DOCUMENT = ROOT / "docs" / "clients.md"
NAMES = ("pbx.example.com", "apps.example.com")
# What the document has in front of the site: a proxy that hands all of it on.
SITE_IN_NGINX = """
server {{
    listen 443 ssl;
    server_name pbx.example.com;
    ssl_certificate /etc/ssl/apps/fullchain.pem;
    ssl_certificate_key /etc/ssl/apps/privkey.pem;
    location / {{
        proxy_pass http://127.0.0.1:8000;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
    }}
    {locations}
}}
"""


def documented(language: str, document: Path = DOCUMENT) -> list[str]:
    """Return the document's files of one language, in its order."""
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, document.read_text(), re.MULTILINE | re.DOTALL)


class _Page(BaseHTTPRequestHandler):
    """Shows each visitor what the proxy says about him."""

    protocol_version = "HTTP/1.1"
    links: ClassVar[str] = '<a href="/other">Other</a>'

    def do_GET(self) -> None:
        shown = json.dumps([[name, value] for name, value in self.headers.items()])
        text = shown.replace("&", "&amp;").replace("<", "&lt;")
        body = f"<title>Page</title><pre>{text}</pre>{self.links}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Stay silent."""


@contextmanager
def running_page() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join(5)
    server.server_close()


class Proxy(Server):
    def __init__(
        self, name: str, directory: Path, site_port: int, page_port: int
    ) -> None:
        super().__init__(name, directory)
        self.pem = directory / "proxy.pem"
        self.authority = make_authority("Proxies")
        self.pem.write_text(self.authority.server_pem(*NAMES))
        self.changes = {
            r"127\.0\.0\.1:8000": f"127.0.0.1:{site_port}",
            r"127\.0\.0\.1:9000": f"127.0.0.1:{page_port}",
        }

    def here(self, text: str, changes: dict[str, str]) -> str:
        """Put this machine's ports and files into it, and nothing else."""
        for pattern, value in (self.changes | changes).items():
            text, count = re.subn(pattern, value, text, flags=re.MULTILINE)
            assert count, f"The document no longer holds {pattern}"
        return text


class Nginx(Proxy):
    def __init__(self, directory: Path, site_port: int, page_port: int) -> None:
        super().__init__("nginx", directory, site_port, page_port)
        apps, cookies, locations = documented("nginx")
        site = SITE_IN_NGINX.format(locations=locations)
        listen = f"listen 127.0.0.1:{self.port} ssl;"
        changes = {r"listen 443 ssl;": listen, r"/etc/ssl/apps/\w+\.pem": str(self.pem)}
        servers = self.here(cookies + site + apps, changes)
        file = directory / "nginx.conf"
        file.write_text(NGINX_FRAME.format(directory=directory, site=servers))
        self.command = [NGINX, "-c", str(file), "-e", "stderr"]


class Caddy(Proxy):
    def __init__(self, directory: Path, site_port: int, page_port: int) -> None:
        super().__init__("caddy", directory, site_port, page_port)
        certificate = f"\ttls {self.pem} {self.pem}"
        changes = {
            rf"^{re.escape(name)} \{{$": f"https://{name}:{self.port} {{\n{certificate}"
            for name in NAMES
        }
        hosts = self.here("\n".join(documented("caddy")), changes)
        file = directory / "Caddyfile"
        file.write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{hosts}")
        self.command = [
            *("env", f"XDG_DATA_HOME={directory}", f"XDG_CONFIG_HOME={directory}"),
            *("caddy", "run", "--config", str(file), "--adapter", "caddyfile"),
        ]


class HAProxy(Proxy):
    """One page's host alone; the site's own has no proxy in front."""

    def __init__(
        self, directory: Path, site_port: int, page_port: int, site_host: str
    ) -> None:
        super().__init__("haproxy", directory, site_port, page_port)
        self.pem.write_text(self.authority.server_pem("localhost"))
        page = ROOT / "docs" / "clients" / "haproxy.md"
        (lua,), (configuration,) = documented("lua", page), documented("haproxy", page)
        script, file = directory / "pbx-auth.lua", directory / "haproxy.cfg"
        place = {r"127\.0\.0\.1:8000": f"127.0.0.1:{site_port}"}
        self.changes = place | {r"pbx\.example\.com": site_host}
        script.write_text(self.here(lua, {}))
        changes = {
            r"/etc/haproxy/pbx-auth\.lua": str(script),
            r"bind :443": f"bind 127.0.0.1:{self.port}",
            r"/etc/ssl/apps/apps\.pem": str(self.pem),
            r"127\.0\.0\.1:9000": f"127.0.0.1:{page_port}",
        }
        file.write_text(self.here(configuration, changes))
        self.command = ["/usr/sbin/haproxy", "-db", "-f", str(file)]
