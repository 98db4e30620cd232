"""Where a start of the embedded mode puts what: ports, addresses, its Redis."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError

from pbxsite.embedded import data_dir as embedded


@dataclass(frozen=True)
class Plan:
    data_dir: Path
    bind: str
    port: int
    mailbox_port: int
    redis_url: str
    own_redis: bool

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def site_env(self) -> Path:
        return self.data_dir / "site.env"

    @property
    def worker_name(self) -> str:
        return f"site-{self.port}@localhost"

    def lasting(self) -> dict[str, str]:
        """Return what other commands have to know to speak to this site."""
        given = embedded.is_given("SITE_URL")
        return {
            "SITE_URL": settings.SITE_URL if given else self.url,
            "REDIS_URL": self.redis_url,
            "MAILBOX_PORT": str(self.mailbox_port),
        }


def make_plan() -> Plan:
    """Plan a start; raise CommandError if its port cannot be used."""
    data_dir, bind = settings.DATA_DIR, settings.BIND
    if fault := _port_fault(bind, settings.PORT):
        raise CommandError(
            f"Port {settings.PORT} on {bind} cannot be used: {fault}."
            " Choose another one with PORT."
        )
    own_redis = not embedded.is_given("REDIS_URL")
    return Plan(
        data_dir=data_dir,
        bind=bind,
        port=settings.PORT,
        mailbox_port=_mailbox_port(data_dir),
        redis_url=embedded.redis_url(data_dir) if own_redis else settings.REDIS_URL,
        own_redis=own_redis,
    )


def _mailbox_port(data_dir: Path) -> int:
    """Take the last start's port again; if that is taken or none, a free one."""
    last = int(embedded.remembered(data_dir / "site.env").get("MAILBOX_PORT", "0"))
    if last and not _port_fault("127.0.0.1", last):
        return last
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _port_fault(host: str, port: int) -> str:
    """Say why nobody can listen there; empty when one can."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(*found[:3]) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(found[4])
    except (OSError, OverflowError) as error:
        return str(getattr(error, "strerror", None) or error)
    return ""
