"""The processes of the embedded mode: how each starts, and whether it answers."""

from __future__ import annotations

import asyncio
import http.client
import os
import runpy
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, repeat

from django.conf import settings

from pbxsite.celery import app as celery_app
from pbxsite.embedded import data_dir as embedded
from pbxsite.embedded import mailbox, redis_server
from pbxsite.embedded.forks import succeeds
from pbxsite.embedded.plan import Plan
from pbxsite.embedded.supervisor import Family
from verification.redis_access import BROKER_ERRORS

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # only compared
# A worker that is not there yet never answers a question: the first ones are short.
FIRST_ANSWERS_SECONDS, ANSWER_SECONDS = (0.2,) * 10, 1.0
# Only the first start needs these; no server process should hold them.
FIRST_START_NAMES = {"ADMIN_USERNAME", "ADMIN_PASSWORD", "ADMIN_EMAIL"}


def environment() -> dict[str, str]:
    """Return what came from outside and lasts; what is in site.env is read there."""
    names = embedded.GIVEN - FIRST_START_NAMES
    return {name: os.environ[name] for name in names}


def start_redis(family: Family, plan: Plan) -> None:
    if plan.own_redis:
        server = redis_server.command(embedded.redis_socket(plan.data_dir))
        family.start("redis", server, patience=1)


def fork_others(family: Family, plan: Plan) -> None:
    """Fork them all at once; this process has imported what they share."""
    if plan.own_redis:
        # A worker that comes before it would look again after two seconds only.
        redis_server.await_listening(embedded.redis_socket(plan.data_dir))
    web = web_server(plan.bind, plan.port)
    family.fork("mailbox", partial(_receive_mails, plan), patience=1)
    family.fork("worker", partial(_work, plan), patience=4)
    family.fork("web server", partial(_run_module, web), patience=4)


def _run_module(command: Sequence[str]) -> None:
    """Do here what `python -m MODULE …` would do in a process of its own."""
    _python, _option, *words = command
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def _work(plan: Plan) -> None:
    """Do what `celery worker` does, without what its command line imports."""
    worker = celery_app.Worker(
        hostname=plan.worker_name,
        pool="threads",
        concurrency=4,
        loglevel="WARNING",
        quiet=True,
        schedule_filename=str(plan.data_dir / "beat-schedule"),
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    sys.exit(worker.exitcode)


def _receive_mails(plan: Plan) -> None:
    asyncio.run(mailbox.serve(embedded.mailbox(plan.data_dir), plan.mailbox_port))


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


def probes(plan: Plan) -> dict[str, Callable[[], bool]]:
    host = ANY_ADDRESS.get(plan.bind, plan.bind)
    patience = chain(FIRST_ANSWERS_SECONDS, repeat(ANSWER_SECONDS))
    return {
        "web server": partial(_web_answers, host, plan.port),
        "mailbox": partial(_mailbox_answers, plan.mailbox_port),
        "worker": lambda: succeeds(partial(_worker_answers, plan, next(patience))),
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


def _worker_answers(plan: Plan, seconds: float) -> bool:
    try:
        replies = celery_app.control.ping([plan.worker_name], timeout=seconds, limit=1)
    except BROKER_ERRORS:
        return False
    return bool(replies)
