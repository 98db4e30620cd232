"""The files that administrators install: understood by systemd and nginx, and safe."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from tests.harnesses.production.servers import Nginx
from tests.harnesses.production.units import UNITS, Places, read_service, sections
from tests.support.certificates import make_authority
from tests.support.services import ROOT
from tests.support.site import free_port

SERVICES = ("pbx-web@.service", "pbx-worker.service", "pbx-beat.service")
# systemd-analyze's measure: 10 is a service that may do all, 0 one that may do nothing.
MOST_EXPOSURE = 1.5
DEPLOY = ROOT / "docs" / "deploy.md"
CONTAINER = ROOT / "docs" / "container.md"
CLIENTS = (ROOT / "docs" / "clients.md").read_text()
SECRET_ADDRESSES = (
    "/PBX0/session.xml?id=secret",
    "/login/rescue/?id=secret",
    "/login/oauth2/callback/?state=a&code=secret",
    "/.pbx-auth/myapps/enter/?code=secret",
)
needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="no systemd here"
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name in ("etc", "var", "static"):
        (tmp_path / name).mkdir()
    credentials = tmp_path / "etc" / "credentials"
    credentials.mkdir()
    for service in SERVICES:
        found = sections((UNITS / service).read_text())["Service"]
        for pair in found["LoadCredential"]:
            (credentials / pair.partition(":")[0]).touch()
    shutil.copy(ROOT / "deploy" / "site.env", tmp_path / "etc")
    return Places(tmp_path / "etc", tmp_path / "var", tmp_path / "static")


@needs_systemd
def test_systemd_understands_each_unit(tmp_path: Path) -> None:
    for unit in UNITS.iterdir():
        # The command is not installed at its place here.
        text = re.sub("/opt/pbx/current/.venv/bin/python", "/bin/sh", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    names = [str(tmp_path / unit.name.replace("@.", "@1.")) for unit in UNITS.iterdir()]

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names],
        capture_output=True,
        text=True,
    )

    # It also tells of this machine's other units.
    assert "pbx" not in done.stderr
    assert done.returncode == 0


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_little_else_than_its_work(name: str) -> None:
    words = ["systemd-analyze", "security", "--offline=true", str(UNITS / name)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout

    exposure = re.search(r"Overall exposure level for \S+ ([\d.]+)", told)
    assert exposure
    assert float(exposure[1]) <= MOST_EXPOSURE


def test_all_services_have_the_same_bounds_and_environment() -> None:
    own = {"Type", "Sockets", "ExecStart", "KillMode", "Restart", "RestartSec"}
    found = []
    for name in SERVICES:
        service = dict(sections((UNITS / name).read_text())["Service"])
        environment = [e for e in service["Environment"] if "QUERY_TIMEOUT" not in e]
        service["Environment"] = environment
        kept = {k: v for k, v in service.items() if k not in own}
        found.append({k: v for k, v in kept.items() if not k.startswith("Timeout")})

    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_stands_in_a_unit_and_each_comes_as_a_file(
    name: str, places: Places
) -> None:
    unit = read_service(name, places, "1")
    secrets = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEYS")

    assert not unit.environment.keys() & set(secrets)
    for secret in secrets:
        assert Path(unit.environment[f"{secret}_FILE"]).is_file()


def test_nginx_understands_its_file(tmp_path: Path, places: Places) -> None:
    nginx = Nginx(tmp_path, make_authority(), places.static, [1, 2])

    assert "test is successful" in nginx.check()


def test_the_logs_of_nginx_hold_no_query() -> None:
    text = (ROOT / "deploy" / "nginx" / "pbx.conf").read_text()
    format_ = re.search(r"log_format pbx (.*?);", text, re.DOTALL)
    logs = re.findall(r"^ *access_log (.*);", text, re.MULTILINE)

    assert format_
    assert not re.search(r"\$(request|request_uri|args|query_string)\b", format_[1])
    assert set(logs) == {"off", "/var/log/nginx/pbx-access.log pbx"}


def test_an_error_of_nginx_does_not_log_a_secret(
    tmp_path: Path, places: Places
) -> None:
    authority = make_authority()
    nginx = Nginx(tmp_path, authority, places.static, [free_port(), free_port()])
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(authority.ca_pem)
    asked = partial(requests.get, verify=str(ca_file), timeout=10)
    nginx.start()
    try:
        for address in ("/account/", *SECRET_ADDRESSES):
            assert asked(f"{nginx.url}{address}").status_code == 502
        page = {"Referer": f"{nginx.url}{SECRET_ADDRESSES[0]}"}
        assert asked(f"{nginx.url}/static/new.css", headers=page).status_code == 502
    finally:
        nginx.stop()

    errors = (tmp_path / "pbx-error.log").read_text()
    assert "/account/" in errors
    assert "secret" not in errors


class _LeadsOn(BaseHTTPRequestHandler):
    """Redirects to an address as long as the one that was asked for."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.path)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Stay silent."""


def test_nginx_takes_long_requests_of_clients(tmp_path: Path, places: Places) -> None:
    web = ThreadingHTTPServer(("127.0.0.1", 0), _LeadsOn)
    Thread(target=web.serve_forever, daemon=True).start()
    authority, ca_file = make_authority(), tmp_path / "ca.pem"
    ca_file.write_text(authority.ca_pem)
    ports = [web.server_address[1], free_port()]
    nginx = Nginx(tmp_path, authority, places.static, ports)
    path = f"/openid/authorize?state={'s' * 16_000}"
    nginx.start()
    try:
        asked = partial(requests.get, verify=str(ca_file), timeout=10)
        answer = asked(nginx.url + path, allow_redirects=False)
    finally:
        nginx.stop()
        web.shutdown()
        web.server_close()

    assert answer.status_code == 302
    assert answer.headers["Location"] == path


def test_no_error_on_the_way_back_to_a_client_is_logged() -> None:
    way_back = re.search(r"location /\.pbx-auth/ \{(.*?)\}", CLIENTS, re.DOTALL)

    assert way_back
    assert "access_log off;" in way_back[1]
    assert "error_log /dev/null crit;" in way_back[1]


def test_nobody_but_root_reads_a_backup() -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```$", DEPLOY.read_text(), re.M | re.DOTALL)
    backups = [b for b in blocks if re.search("pg_dump|tar -c", b)]

    assert len(backups) == 2
    assert all(block.startswith("umask 077\n") for block in backups)


def test_each_file_to_install_is_in_the_walk() -> None:
    words = DEPLOY.read_text() + CONTAINER.read_text()

    for path in (ROOT / "deploy").rglob("*.*"):
        assert path.name in words or path.parent.name in words, path
