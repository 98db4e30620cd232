"""The proxy's lines from the docs put Flower behind this site's login."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
from django.contrib.auth.models import Group, Permission
from django.test import Client as Browser
from pytest_django.live_server_helper import LiveServer

from authconfig.users.models import PbxUser
from tests.support.services import ROOT
from tests.support.site import free_port

DOCS = ROOT / "docs/operations/monitoring.md"
LIMIT_SECONDS = 15
CONFIGURATION = """
daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u;
    scgi_temp_path {directory}/s;
    upstream pbx_web {{ server {site}; }}
    server {{ listen 127.0.0.1:{port}; {lines} }}
}}
"""


class Flower(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"tasks and workers")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def flower() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Flower)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join(LIMIT_SECONDS)


@pytest.fixture
def proxy(live_server: LiveServer, flower: int, tmp_path: Path) -> Iterator[str]:
    found = re.search(r"```nginx\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    port = free_port()
    text = CONFIGURATION.format(
        directory=tmp_path,
        site=live_server.url.removeprefix("http://"),
        port=port,
        lines=found[1].replace("127.0.0.1:5555", f"127.0.0.1:{flower}"),
    )
    (tmp_path / "nginx.conf").write_text(text)
    with _running(tmp_path, port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(directory: Path, port: int) -> Iterator[None]:
    command = ["/usr/sbin/nginx", "-p", directory, "-c", directory / "nginx.conf"]
    process = subprocess.Popen([*command, "-e", directory / "error.log"])
    try:
        limit = time.monotonic() + LIMIT_SECONDS
        while not _answers(port):
            assert time.monotonic() < limit, (directory / "error.log").read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def asked(proxy: str, browser: Browser, path: str = "/flower/") -> requests.Response:
    cookies = {name: morsel.value for name, morsel in browser.cookies.items()}
    return requests.get(
        f"{proxy}{path}", cookies=cookies, allow_redirects=False, timeout=10
    )


@pytest.mark.django_db(transaction=True)
def test_flower_opens_to_operators_alone(proxy: str, user: PbxUser) -> None:
    PbxUser.objects.filter(pk=user.pk).update(is_staff=True)
    browser = Browser()
    browser.force_login(user)
    session = browser.session
    session["kind"] = "myapps"
    session.save()

    refused = [asked(proxy, Browser()), asked(proxy, browser)]
    # Transactional tests empty the tables, the ready-made group's too.
    operators, _made = Group.objects.get_or_create(name="Operators")
    right = Permission.objects.get(codename="operate_queue")
    operators.permissions.add(right)
    user.groups.add(operators)

    for answer in refused:
        assert (answer.status_code, answer.text.count("tasks")) == (302, 0)
        assert answer.headers["Location"].endswith("/login/?next=/flower/")
    assert asked(proxy, browser).text == "tasks and workers"
    assert asked(proxy, browser, "/operators/allowed/").status_code == 404
