"""A real PgBouncer of the test's own, before a PostgreSQL of its own."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_connection

from tests.support.own_postgresql import OwnPostgreSQL
from tests.support.services import as_server_user
from tests.support.site import free_port

LIMIT_SECONDS = 10
CONFIGURATION = """\
[databases]
postgres = host={directory} dbname=postgres user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
"""


@contextmanager
def pgbouncer(server: OwnPostgreSQL, mode: str, size: int) -> Iterator[int]:
    """Yield the port of one that opens `size` connections to the server."""
    port = free_port()
    file = server.directory / f"{mode}.ini"
    words = {"directory": server.directory, "port": port, "mode": mode, "size": size}
    file.write_text(CONFIGURATION.format(**words))
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    assert program
    process = subprocess.Popen(
        [*as_server_user(), program, "--quiet", str(file)], stderr=subprocess.DEVNULL
    )
    try:
        _await(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _await(port: int) -> None:
    limit = time.monotonic() + LIMIT_SECONDS
    while True:
        try:
            create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < limit
            time.sleep(0.02)
        else:
            return
