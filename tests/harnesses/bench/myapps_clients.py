"""Many myApps clients in a process of their own, which log in by their sessions.

python -m tests.harnesses.bench.myapps_clients stay PORT    stay until they are told
python -m tests.harnesses.bench.myapps_clients again PORT   only log in, and leave

Reads lines "NUMBER NAME PASSWORD", of sessions, until an empty one. Writes "ready
SECONDS" once all have logged in, the time that took; those that stay then write
"NUMBER SECONDS" when they are logged out (seconds of the monotonic clock).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.support.myapps.proofs import response

# Fewer than may connect from one address before they log in.
AT_ONCE = 16
PATH = "/PBX0/APPCLIENT/websocket"


async def say(line: ClientConnection, mt: str, **members: Any) -> None:
    await line.send(json.dumps({"mt": mt, **members}))


async def hear(line: ClientConnection, mt: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(await line.recv())
        if message["mt"] == mt:
            return message


async def log_in(port: int, name: str, password: str) -> ClientConnection:
    line = await connect(
        f"ws://127.0.0.1:{port}{PATH}",
        compression=None,
        ping_interval=None,
        open_timeout=60,
    )
    await say(line, "Login", type="session", userAgent="bench")
    asked = await hear(line, "Authenticate")
    nonce = secrets.token_hex(8)
    parts = asked["domain"], name, password, nonce, asked["challenge"]
    proof = {"nonce": nonce, "response": response("session", *parts)}
    await say(line, "Login", type="session", method="digest", username=name, **proof)
    result = await hear(line, "LoginResult")
    assert "info" in result, result
    return line


async def stay(line: ClientConnection, number: int) -> None:
    await hear(line, "LogoutResult")
    print(number, time.monotonic(), flush=True)  # noqa: T201


async def run(task: str, port: int, sessions: list[str]) -> None:
    gate, lines = asyncio.Semaphore(AT_ONCE), {}

    async def one(number: int, name: str, password: str) -> None:
        async with gate:
            line = await log_in(port, name, password)
            if task == "stay":
                lines[number] = line
                await hear(line, "SessionAdded")
            else:
                await line.close()

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for each in sessions:
            number, name, password = each.split()
            group.create_task(one(int(number), name, password))
    print("ready", time.monotonic() - began, flush=True)  # noqa: T201
    await asyncio.gather(*(stay(line, number) for number, line in lines.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=["stay", "again"])
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    sessions = list(iter(sys.stdin.readline, "\n"))
    asyncio.run(run(options.task, options.port, sessions))


if __name__ == "__main__":
    main()
