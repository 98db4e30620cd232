"""Run a command beside a PostgreSQL and Redis of its own, which end with it.

python -m tests.support.services --database postgresql pytest -m "not long"
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pbxsite.embedded import redis_server
from pbxsite.embedded.supervisor import Family

ROOT = Path(__file__).resolve().parents[2]
# One Redis for each process of the tests: they share no cache, broker or channel.
PROCESSES = ("main", "gw0", "gw1", "gw2", "gw3")
START_LIMIT_SECONDS = 30
POSTGRESQL_OPTIONS = {
    "listen_addresses": "",
    "max_connections": "200",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}
# They come from our own imports, or are of somebody's real site.
NOT_FOR_TESTS = {
    *("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "PORT", "SITE_URL"),
    # Else each of a hundred processes would compile every module anew.
    "PYTHONDONTWRITEBYTECODE",
}
# What a production-like site demands; a DATABASE_URL makes the tests' site one.
SITE = {
    "SECRET_KEY": "tests-only-key-of-a-site-that-no-browser-outside-ever-sees-4711",
    "SITE_URL": "http://127.0.0.1:8000",
    "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
}


def postgresql_binary(name: str) -> str:
    """Find it in the PATH or where Debian hides the server's own programs."""
    installed = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(installed, key=lambda p: float(p.parts[-3]), default=None)
    found = str(newest) if newest else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"There is no {name}: install PostgreSQL's server.")
    return found


def as_server_user() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def start_postgresql(family: Family, directory: Path) -> str:
    """Start an empty cluster on a Unix socket and return its DATABASE_URL."""
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres")
    cluster = directory / "cluster"
    initdb = [postgresql_binary("initdb"), "-D", str(cluster), "-U", "postgres"]
    options = ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    command = [*as_server_user(), *initdb, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=directory)
    settings = POSTGRESQL_OPTIONS | {"unix_socket_directories": str(directory)}
    words = [word for pair in settings.items() for word in ("-c", "=".join(pair))]
    server = [postgresql_binary("postgres"), "-D", str(cluster), *words]
    family.start("postgresql", [*as_server_user(), *server], patience=5)
    _await_socket(family, directory / ".s.PGSQL.5432")
    return f"postgres://postgres@/{directory}/postgres"


def start_redis(family: Family, directory: Path, process: str = "main") -> str:
    """Start one on a Unix socket and return its REDIS_URL."""
    path = directory / f"redis-{process}.sock"
    family.start(f"redis {process}", redis_server.command(path), patience=2)
    _await_socket(family, path)
    return f"unix://{path}"


def _await_socket(family: Family, path: Path) -> None:
    limit = time.monotonic() + START_LIMIT_SECONDS
    while not _is_answered(path):
        family.check()
        if time.monotonic() > limit:
            raise TimeoutError(f"Nothing answers on {path}.")
        time.sleep(0.05)


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


@contextmanager
def services(database: str) -> Iterator[dict[str, str]]:
    """Yield the environment of a site that uses services of its own."""
    directory = Path(tempfile.mkdtemp(prefix="pbx-", dir="/tmp"))  # short for sockets
    directory.chmod(0o755)
    family = Family(ROOT, directory / "log", os.environ)
    try:
        environment = {"TEST_SERVICES": str(directory), "TEST_DATABASE": database}
        for process in PROCESSES:
            start_redis(family, directory, process)
        if database == "postgresql":
            environment |= SITE
            environment["DATABASE_URL"] = start_postgresql(family, directory)
        else:
            environment["DATA_DIR"] = str(directory / "data")
        yield environment | {"REDIS_URL": f"unix://{directory}/redis-main.sock"}
    finally:
        family.end()
        shutil.rmtree(directory, ignore_errors=True)


def run(command: list[str], environment: dict[str, str]) -> int:
    """Run it; a signal that ends this process is the command's business first."""
    kept = {k: v for k, v in os.environ.items() if k not in NOT_FOR_TESTS}
    process = subprocess.Popen(command, cwd=ROOT, env=kept | environment)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    # The terminal sends Ctrl-C to the command as well.
    signal.signal(signal.SIGINT, lambda *_: None)
    return process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("TEST_DATABASE", "sqlite")
    choices = ["sqlite", "postgresql"]
    parser.add_argument("--database", choices=choices, default=default)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    with services(options.database) as environment:
        return run(options.command, environment)


if __name__ == "__main__":
    sys.exit(main())
