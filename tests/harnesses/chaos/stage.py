"""The driver's end of the line to the server: it decides at each step."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.harnesses.chaos.steps import Step
from tests.harnesses.chaos.tokens import Provider
from tests.support.services import ROOT

Event = dict[str, Any]
Decide = Callable[[Event], dict[str, Any]]
START_LIMIT = 20.0


class Stage:
    """Runs the server and answers its questions, one after the other."""

    def __init__(
        self, directory: Path, decide: Decide, provider: Provider | None
    ) -> None:
        self.journal = directory / "journal"
        self.port = 0
        self._decide = decide
        # By whose tokens alone the server lets anybody in.
        self._provider = provider
        self._socket = directory / "stage.sock"

    def __enter__(self) -> Stage:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._socket))
        listener.listen()
        listener.settimeout(START_LIMIT)
        words = ["--stage", str(self._socket), "--journal", str(self.journal)]
        if self._provider:
            words += ["--pem", str(self._provider.pem), "--key", self._provider.key]
        command = [sys.executable, "-m", "tests.harnesses.chaos.server", *words]
        self._server = subprocess.Popen(command, cwd=ROOT)
        self._line, _address = listener.accept()
        listener.close()
        self._file = self._line.makefile("rwb")
        self.port = json.loads(self._file.readline())["port"]
        self._thread = threading.Thread(target=self._answer_all, daemon=True)
        self._thread.start()
        return self

    def _answer_all(self) -> None:
        for line in self._file:
            event: Event = json.loads(line)
            event["step"] = Step(event["step"])
            answer = {"number": event["number"], **self._decide(event)}
            self._file.write(json.dumps(answer).encode() + b"\n")
            self._file.flush()

    def is_running(self) -> bool:
        return self._server.poll() is None and self._thread.is_alive()

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait(10)
        self._thread.join(10)
        self._line.close()
