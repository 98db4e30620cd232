"""Clients behind real proxies, by the lines of docs/myapps-clients.md."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from tests.harnesses.production.servers import NGINX, NGINX_FRAME, Server
from tests.support.certificates import Authority, make_authority
from tests.support.myapps.client import Client
from tests.support.proxies import documented
from tests.support.server import running_server
from tests.support.services import ROOT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
PAGE = ROOT / "docs" / "myapps-clients.md"
NAME = "pbx.example.com"


class Proxy(Server):
    """A proxy with the document's one file for it, changed in its places alone."""

    def __init__(self, name: str, directory: Path, site_port: int) -> None:
        super().__init__(name, directory)
        self.authority: Authority = make_authority("Proxies")
        pem, file = directory / "proxy.pem", directory / f"{name}.conf"
        pem.write_text(self.authority.server_pem(NAME))
        (lines,) = documented(name, PAGE)
        changes = {r"127\.0\.0\.1:8000": f"127.0.0.1:{site_port}"}
        if name == "nginx":
            changes |= {
                r"listen 443": f"listen 127.0.0.1:{self.port}",
                r"/etc/ssl/pbx/\w+\.pem": str(pem),
            }
            frame = NGINX_FRAME.replace("{site}", "{{site}}").format(
                directory=directory
            )
            self.command = [NGINX, "-c", str(file), "-e", "stderr"]
        else:
            host = f"https://{NAME}:{self.port} {{\n\ttls {pem} {pem}"
            changes[rf"^{re.escape(NAME)} \{{$"] = host
            frame = "{\n\tadmin off\n\tauto_https off\n}\n{site}"
            self.command = [
                *("env", f"XDG_DATA_HOME={directory}", f"XDG_CONFIG_HOME={directory}"),
                *("caddy", "run", "--config", str(file), "--adapter", "caddyfile"),
            ]
        for pattern, value in changes.items():
            lines, count = re.subn(pattern, value, lines, flags=re.MULTILINE)
            assert count, f"The document no longer holds {pattern}"
        file.write_text(frame.replace("{site}", lines))

    def client(self, **options: object) -> Client:
        trust = ssl.create_default_context(cadata=self.authority.ca_pem)
        there = socket.create_connection(("127.0.0.1", self.port))
        return Client(f"https://{NAME}", sock=there, ssl=trust, **options)


@pytest.fixture(scope="module")
def site_port(django_db_setup: None) -> Iterator[int]:
    behind = {
        "SITE_URL": f"https://{NAME}",
        "ALLOWED_HOSTS": NAME,
        "TRUSTED_PROXY_COUNT": "1",
    }
    with running_server(**behind) as (port, _process):
        yield port


@pytest.mark.parametrize("name", ["nginx", "caddy"])
def test_a_client_connects_through_the_documents_proxy(
    name: str, site_port: int, tmp_path: Path
) -> None:
    proxy = Proxy(name, tmp_path, site_port)
    proxy.start()
    try:
        with proxy.client() as client:
            client.ask("CheckBuild", "CheckBuildResult")
            assert client.begin("session").authenticate["domain"] == NAME
        with proxy.client(origin=f"https://{NAME}") as client:
            client.ask("LoginInfo", "LoginInfoResult")
        with pytest.raises(InvalidStatus):
            proxy.client(origin="https://evil.example")
    finally:
        proxy.stop()


def test_without_a_proxy_that_encrypts_it_is_refused(site_port: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Client(f"http://127.0.0.1:{site_port}", additional_headers={"Host": NAME})

    assert refused.value.response.status_code in (400, 403)
