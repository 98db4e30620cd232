"""Two web machines, two workers and two schedulers behind nginx, on this machine."""

from __future__ import annotations

import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from authconfig.choices import SmtpSecurity
from tests.harnesses.production.fleet import Fleet, Service, manage
from tests.harnesses.production.logins import USER_PASSWORD, Mailbox, Road
from tests.harnesses.production.servers import Nginx, Postgresql, Redis
from tests.harnesses.production.units import UNITS, Places, Unit, read_service, sections
from tests.support.certificates import make_authority
from tests.support.services import ROOT
from tests.support.smtp_servers import CREDENTIALS, smtp_server

MACHINES = 2
# Of each web machine; they share its socket.
WEB_PROCESSES = 2
USERS = 4000
MAKE_USERS = f"""
from django.contrib.auth.hashers import make_password
from authconfig.users.models import PbxUser
hashed = make_password({USER_PASSWORD!r})
PbxUser.objects.bulk_create(
    PbxUser(
        name=f"user{{n}}", name_key=f"user{{n}}", password=hashed,
        email=f"user{{n}}@example.com",
    )
    for n in range({USERS})
)
"""


@dataclass
class ProductionSite:
    fleet: Fleet
    nginx: Nginx
    postgresql: Postgresql
    redis: Redis
    road: Road
    unit: Unit

    def manage(self, *words: str, stdin: str = "") -> str:
        return manage(self.unit, *words, stdin=stdin)


@contextmanager
def production_site() -> Iterator[ProductionSite]:
    """Run it until the block ends; only the PATH's programs are the machine's own."""
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="pbx-"))
        directory = Path(name)
        directory.chmod(0o755)
        authority = make_authority("Production CA")
        ca_file = directory / "ca.pem"
        ca_file.write_text(authority.ca_pem)
        postgresql = Postgresql(_folder(directory, "postgresql"), authority)
        redis = Redis(_folder(directory, "redis"), authority)
        listeners = [stack.enter_context(_listener()) for _ in range(MACHINES)]
        ports = [listener.getsockname()[1] for listener in listeners]
        places = _places(directory)
        nginx = Nginx(_folder(directory, "nginx"), authority, places.static, ports)
        urls = (postgresql.url(ca_file), redis.url(ca_file))
        _write_etc(places, nginx.url, *urls)
        for server in (postgresql, redis, nginx):
            server.start()
            stack.callback(server.stop)
        smtp = stack.enter_context(smtp_server(authority=authority))
        unit = read_service("pbx-worker.service", places)
        _prepare(unit)
        fleet = _fleet(places, _folder(directory, "logs"), listeners)
        stack.callback(fleet.end)
        fleet.start()
        _set_up(unit, nginx.url, smtp.port, authority.ca_pem, directory)
        road = Road(nginx.url, ca_file, Mailbox(smtp))
        yield ProductionSite(fleet, nginx, postgresql, redis, road, unit)


def _folder(directory: Path, name: str) -> Path:
    folder = directory / name
    folder.mkdir()
    return folder


@contextmanager
def _listener() -> Iterator[socket.socket]:
    """What the socket unit holds for the web processes of a machine."""
    options = sections((UNITS / "pbx-web.socket").read_text())["Socket"]
    backlog = int(options["Backlog"][-1])
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        if options["NoDelay"] == ["true"]:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setblocking(False)
        yield listener


def _places(directory: Path) -> Places:
    etc, var = _folder(directory, "etc"), _folder(directory, "var")
    (etc / "credentials").mkdir(mode=0o700)
    return Places(etc, var, _folder(directory, "static"))


def _write_etc(places: Places, url: str, database_url: str, redis_url: str) -> None:
    """What an administrator writes into /etc/pbx."""
    example = (ROOT / "deploy" / "site.env").read_text()
    lines = [places.local(line) for line in example.splitlines()]
    changes = [
        f"SITE_URL={url}",
        "ALLOWED_HOSTS=localhost",
        "DJANGO_SETTINGS_MODULE=tests.harnesses.production.settings",
    ]
    (places.etc / "site.env").write_text("\n".join([*lines, *changes]) + "\n")
    credentials = {
        "database_url": database_url,
        "redis_url": redis_url,
        "secret_key": secrets.token_urlsafe(64),
        "secret_key_fallbacks": "",
        "encryption_keys": secrets.token_urlsafe(64),
        "metrics_key": secrets.token_urlsafe(24),
    }
    for name, value in credentials.items():
        (places.etc / "credentials" / name).write_text(f"{value}\n")


def _prepare(unit: Unit) -> None:
    manage(unit, "migrate", "--verbosity=0")
    manage(unit, "collectstatic", "--noinput", "--verbosity=0")
    manage(unit, "shell", "--no-imports", "-c", MAKE_USERS)


def _fleet(places: Places, logs: Path, listeners: list[socket.socket]) -> Fleet:
    fleet = Fleet()
    for machine, listener in enumerate(listeners, 1):
        for number in range(1, WEB_PROCESSES + 1):
            unit = read_service("pbx-web@.service", places, str(number))
            name = f"web{machine}-{number}"
            fleet.add(Service(name, unit, logs / f"{name}.log", listener))
    for machine in range(1, MACHINES + 1):
        for kind in ("worker", "beat"):
            name = f"{kind}{machine}"
            unit = read_service(f"pbx-{kind}.service", places.of(machine), str(machine))
            fleet.add(Service(name, unit, logs / f"{name}.log"))
    return fleet


def _set_up(unit: Unit, url: str, port: int, ca_pem: str, directory: Path) -> None:
    ca_file = directory / "smtp-ca.pem"
    ca_file.write_text(ca_pem)
    username, password = CREDENTIALS
    values = {
        "two_factor": "on",
        "verification_link": f"{url}/PBX0/session.xml",
        "smtp_server": "localhost",
        "smtp_port": port,
        "smtp_security": SmtpSecurity.STARTTLS.value,
        "smtp_ca_certificate": f"@{ca_file}",
        "smtp_email_address": "pbx@example.com",
        "smtp_username": username,
        "smtp_password": password,
    }
    words = [f"{name}={value}" for name, value in values.items()]
    manage(unit, "authconfig", "set", *words, "--test", "admin@example.com")
