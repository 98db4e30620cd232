"""What a web process tells the service manager, and when."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pbxsite.asgi import application
from tests.support.services import ROOT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        address = tmp_path / "notify"
        listener.bind(str(address))
        listener.settimeout(1)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        yield listener


def live() -> list[str]:
    """Start and end the application as a server does; return its answers."""
    questions = iter(["lifespan.startup", "lifespan.shutdown"])
    answers: list[str] = []

    async def receive() -> dict[str, str]:
        return {"type": next(questions)}

    async def send(message: dict[str, Any]) -> None:
        answers.append(message["type"])

    asyncio.run(application({"type": "lifespan"}, receive, send))
    return answers


def test_a_process_says_when_it_serves_and_when_it_ends(
    manager: socket.socket,
) -> None:
    assert live() == ["lifespan.startup.complete", "lifespan.shutdown.complete"]

    assert [manager.recv(100) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]


def test_a_manager_that_is_gone_stops_nothing(manager: socket.socket) -> None:
    manager.close()

    assert live()[0] == "lifespan.startup.complete"


def test_an_address_of_the_abstract_namespace_is_understood(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0pbx-lifespan-test")
        listener.settimeout(1)
        monkeypatch.setenv("NOTIFY_SOCKET", "@pbx-lifespan-test")
        live()

        assert listener.recv(100) == b"READY=1"


def test_without_a_manager_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    assert live()[0] == "lifespan.startup.complete"


@pytest.mark.long
@pytest.mark.parametrize(("hard", "is_told"), [(512, True), (9000, False)])
def test_a_process_uses_the_open_files_it_may_and_tells_of_few(
    hard: int, is_told: bool
) -> None:
    code = (
        "import django, resource; django.setup();"
        "from pbxsite.edge import lifespan; lifespan._open_files();"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    limits = ["prlimit", f"--nofile=256:{hard}"]
    done = subprocess.run(
        [*limits, sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert done.stdout.split()[-1] == str(hard)
    told = f"this process may open {hard} files" in done.stdout + done.stderr
    assert told is is_told
