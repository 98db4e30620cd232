"""The processes of the embedded mode: how each starts, and whether it answers."""

from __future__ import annotations

import http.client
import os
import socket
import sys
from collections.abc import Callable
from functools import partial

from django.conf import settings

from pbxsite.celery import app as celery_app
from pbxsite.conf.databases import broker_url
from pbxsite.embedded import data_dir as embedded
from pbxsite.embedded import redis_server
from pbxsite.embedded.plan import Plan
from pbxsite.embedded.supervisor import Family
from verification.redis_access import BROKER_ERRORS

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # only compared
# Only the first start needs these; no server process should hold them.
FIRST_START_NAMES = {"ADMIN_USERNAME", "ADMIN_PASSWORD", "ADMIN_EMAIL"}


def environment(plan: Plan) -> dict[str, str]:
    """Return what came from outside; each process reads the rest in site.env itself."""
    given = {name: os.environ[name] for name in embedded.GIVEN - FIRST_START_NAMES}
    place = {"DATA_DIR": str(plan.data_dir), "PORT": str(plan.port)}
    return given | place | {"PYTHONUNBUFFERED": "1"}


def start_all(family: Family, plan: Plan) -> None:
    """Start them all at once, in the order in which they are to end."""
    family.start("web server", web_server(plan.bind, plan.port), patience=4)
    family.start("worker", _worker(plan), patience=4)
    family.start("mailbox", _mailbox(plan), patience=1)
    if plan.own_redis:
        server = redis_server.command(embedded.redis_socket(plan.data_dir))
        family.start("redis", server, patience=1)


def web_server(
    bind: str, port: int, application: str = "pbxsite.asgi:application"
) -> list[str]:
    return [
        *(sys.executable, "-m", "uvicorn", application),
        *("--host", bind, "--port", str(port)),
        *("--timeout-graceful-shutdown", "3"),
        # Verification links carry their secret in the query: no access log at all.
        "--no-access-log",
        # TRUSTED_PROXY_COUNT alone decides whose word on addresses counts.
        "--no-proxy-headers",
        "--no-server-header",
        # A request line of 16 KB, for a client's long state, with its headers.
        *("--h11-max-incomplete-event-size", "65536"),
        # Of myApps clients: compression would cost each one as much as all the rest.
        *("--ws-max-size", "65536", "--ws-per-message-deflate", "false"),
    ]


def _worker(plan: Plan) -> list[str]:
    return [
        *(sys.executable, "-m", "celery", "-q"),
        *("-A", "pbxsite.embedded.scheduler_thread:app", "worker"),
        *("--pool", "threads", "-c", "4", "-n", plan.worker_name, "-l", "WARNING"),
        *("-s", str(plan.data_dir / "beat-schedule")),
        *("--without-gossip", "--without-mingle"),
    ]


def _mailbox(plan: Plan) -> list[str]:
    return [sys.executable, "manage.py", "mailbox", "--port", str(plan.mailbox_port)]


def probes(plan: Plan) -> dict[str, Callable[[], bool]]:
    host = ANY_ADDRESS.get(plan.bind, plan.bind)
    # This process read its settings before the plan was made.
    celery_app.conf.update(broker_url=broker_url(plan.redis_url))
    return {
        "web server": partial(_web_answers, host, plan.port),
        "mailbox": partial(_mailbox_answers, plan.mailbox_port),
        "worker": partial(_worker_answers, plan),
    }


def _web_answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/livez", headers={"Host": _allowed_host()})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _allowed_host() -> str:
    """Return a name that the site answers to, which "*" and ".example.com" are not."""
    allowed = settings.ALLOWED_HOSTS[0] if settings.ALLOWED_HOSTS else "*"
    return "localhost" if allowed == "*" else allowed.lstrip(".")


def _mailbox_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False


def _worker_answers(plan: Plan) -> bool:
    try:
        replies = celery_app.control.ping([plan.worker_name], timeout=1, limit=1)
    except BROKER_ERRORS:
        return False
    return bool(replies)
