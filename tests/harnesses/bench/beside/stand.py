"""One of the sites that are measured, with a database and processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any

from django.db import connection

from tests.harnesses.bench.sinks import await_server
from tests.harnesses.bench.usage import cores
from tests.support.services import SITE
from tests.support.site import free_port

HERE = "tests.harnesses.bench.beside"
LINK = "https://pbx.example/PBX0/session.xml"
LIMITS_OFF = {
    "LIMIT_LOGINS": "1000000/m/ip",
    "LIMIT_FAILED_LOGINS": "1000000/m/key",
    "LIMIT_FAILURES_IN_ROW": "1000000",
    "LIMIT_HELD_LOGINS": "1000000/m/user",
    "LIMIT_STREAMS": "1000000",
}
# As in deploy/systemd, on an address of this machine.
WEB = "uvicorn pbxsite.asgi:application --no-access-log --no-proxy-headers"
WORKER = (
    "celery -q -A pbxsite worker --pool threads --concurrency 8 --without-gossip"
    " --without-mingle --loglevel ERROR --hostname"
)
LONGEST_SECONDS = 300


@dataclass
class Talker:
    """A process that answers each line of JSON with another one."""

    process: subprocess.Popen[str]

    def ask(self, asked: Any) -> Any:
        self.tell(asked)
        return self.hear()

    def tell(self, asked: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{json.dumps(asked)}\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout
        watchdog = Timer(LONGEST_SECONDS, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended")
        return json.loads(line)


@dataclass
class Stand:
    name: str
    tree: Path
    environment: dict[str, str]
    worker: subprocess.Popen[bytes] = field(init=False)
    driver: Talker = field(init=False)
    sink: Talker = field(init=False)

    @property
    def python(self) -> str:
        return str(self.tree / ".venv/bin/python")

    def command(self, words: str, *more: str) -> list[str]:
        return [self.python, "-m", *words.split(), *more]

    def drive(self, name: str, *arguments: Any) -> Any:
        return self.driver.ask([name, arguments])

    def manage(self, *words: str, stdin: str = "") -> None:
        subprocess.run(
            [self.python, "manage.py", *words],
            cwd=self.tree,
            env=self.environment,
            input=stdin,
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=LONGEST_SECONDS,
        )

    @contextmanager
    def running(self, command: list[str], **options: Any) -> Iterator[Any]:
        process = subprocess.Popen(
            command, cwd=self.tree, env=self.environment, **options
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @contextmanager
    def web(self) -> Iterator[tuple[int, int]]:
        """Run a new web server until the block ends; yield its process and its port."""
        port, (near, _far) = free_port(), cores()
        words = ("--host", "127.0.0.1", "--port", str(port), "--log-level", "warning")
        with self.running(self.command(WEB, *words)) as process:
            os.sched_setaffinity(process.pid, {near})
            await_server(process, port)
            yield process.pid, port


@contextmanager
def stand(name: str, tree: Path, place: Path) -> Iterator[Stand]:
    """Set up a site, until the block ends."""
    site = Stand(name, tree, environment_of(name, place, "bench"))
    talks = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        port = free_port()
        sink = site.command(f"{HERE}.sink", str(port))
        site.sink = Talker(stack.enter_context(site.running(sink, **talks)))
        driver = site.command(f"{HERE}.driver")
        site.driver = Talker(stack.enter_context(site.running(driver, **talks)))
        await_server(site.sink.process, port)
        site.drive("manage", "migrate", "--verbosity=0")
        site.drive("manage", "authconfig", "set", *_account(port))
        # As every commit before it could be set did.
        if site.drive("has_setting", "smtp_mails_per_connection"):
            words = ("authconfig", "set", "smtp_mails_per_connection=100")
            site.drive("manage", *words)
        worker = site.running(
            site.command(WORKER, f"{name}@bench"), stdout=subprocess.DEVNULL
        )
        site.worker = stack.enter_context(worker)
        yield site


def _account(port: int) -> list[str]:
    return [
        "smtp_server=127.0.0.1",
        f"smtp_port={port}",
        "smtp_security=none",
        "smtp_email_address=pbx@example.com",
        "smtp_connections=5",
        f"verification_link={LINK}",
    ]


def environment_of(name: str, place: Path, prefix: str) -> dict[str, str]:
    """Return the variables of a site with a new database and a Redis of its own."""
    services = os.environ["TEST_SERVICES"]
    # What this process's own tests were given is not for the sites.
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TEST_")}
    redis = {"new": "gw0", "base": "gw1"}[name]
    own = {
        "DJANGO_SETTINGS_MODULE": f"{HERE}.settings",
        "DATABASE_URL": _new_database(f"{prefix}_{name}"),
        "REDIS_URL": f"unix://{services}/redis-{redis}.sock",
        "DATA_DIR": str(place / name),
        "STATIC_ROOT": str(place / name / "static"),
        "LOG_LEVEL": "ERROR",
        # Celery's, of who runs it.
        "PYTHONWARNINGS": "ignore",
    }
    (place / name / "static").mkdir(parents=True)
    return kept | SITE | LIMITS_OFF | own


def _new_database(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    return f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}"
