"""A real client application on this machine: the certified openid-client, on Node."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.npm import install

HERE = Path(__file__).parent / "relying"


@contextmanager
def running_client(
    issuer: str, port: int, client_id: str, client_secret: str = ""
) -> Iterator[str]:
    """Yield its address; without a secret it is a public client."""
    install(HERE)
    environment = os.environ | {
        "ISSUER": issuer,
        "PORT": str(port),
        "CLIENT_ID": client_id,
        "CLIENT_SECRET": client_secret,
    }
    process = subprocess.Popen(
        ["node", "server.js"],
        cwd=HERE,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http"), "the client application did not start"
        yield address
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
