"""Services as systemd keeps them: started, restarted when they die, told to end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harnesses.production.units import Unit
from tests.support.services import ROOT

POLL_SECONDS = 0.05


class Service:
    """One unit's process; `listener` is the socket that its socket unit holds."""

    def __init__(
        self, name: str, unit: Unit, log: Path, listener: socket.socket | None = None
    ) -> None:
        self.name, self.unit, self.log, self.listener = name, unit, log, listener
        self.wanted = False
        self.starts = 0
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and, if its unit says so, wait until it says that it serves."""
        with self._lock:
            self.wanted = True
            self._start()

    def _start(self) -> None:
        self.starts += 1
        with self._notifications() as manager:
            self._process = self._spawn()
            if self.unit.says_ready:
                self._await_ready(manager)

    @contextmanager
    def _notifications(self) -> Iterator[socket.socket]:
        address = self._notify_address()
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(address))
            manager.settimeout(POLL_SECONDS)
            yield manager

    def _notify_address(self) -> Path:
        return self.log.with_suffix(".notify")

    def _await_ready(self, manager: socket.socket) -> None:
        assert self._process
        limit = time.monotonic() + self.unit.start_limit
        while time.monotonic() < limit:
            with contextlib.suppress(TimeoutError):
                if manager.recv(1000) == b"READY=1":
                    return
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: {self.last_lines()}")
        raise TimeoutError(f"{self.name} did not say that it serves")

    def _spawn(self) -> subprocess.Popen[bytes]:
        command, passed = self.unit.command, tuple[int, ...]()
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "NOTIFY_SOCKET": str(self._notify_address()),
            **self.unit.environment,
        }
        if self.listener:
            number = self.listener.fileno()
            passed = (number,)
            command = ["bash", "-c", f'exec "$@" 3<&{number}', "-", *command]
        with self.log.open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self.unit.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=passed,
                start_new_session=True,
            )

    def last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def stop(self) -> float:
        """End it as systemd does; return how many seconds it took."""
        with self._lock:
            self.wanted = False
            began = time.monotonic()
            if self._process:
                self._process.send_signal(signal.SIGTERM)
                try:
                    self._process.wait(self.unit.stop_limit)
                except subprocess.TimeoutExpired:
                    self._kill()
            return time.monotonic() - began

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """Take it away without a word; the supervisor starts it again."""
        with self._lock:
            self._kill()

    def _kill(self) -> None:
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def revive(self) -> None:
        """What Restart=always does, after RestartSec."""
        with self._lock:
            died = self._process is not None and self._process.poll() is not None
            if not (self.wanted and died):
                return
            time.sleep(self.unit.restart_after)
            self._start()


class Fleet:
    """All services of all machines, and the manager that revives them."""

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}
        self._ending = threading.Event()
        self._manager = threading.Thread(target=self._revive_all, daemon=True)

    def add(self, service: Service) -> Service:
        self.services[service.name] = service
        return service

    def named(self, start: str) -> list[Service]:
        return [s for name, s in self.services.items() if name.startswith(start)]

    def start(self) -> None:
        threads = [threading.Thread(target=s.start) for s in self.services.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._manager.start()

    def _revive_all(self) -> None:
        while not self._ending.wait(POLL_SECONDS):
            for service in self.services.values():
                service.revive()

    def end(self) -> None:
        self._ending.set()
        if self._manager.is_alive():
            self._manager.join()
        for service in self.services.values():
            service.kill()


def manage(unit: Unit, *words: str, stdin: str = "") -> str:
    """Run a management command in a unit's environment."""
    done = subprocess.run(
        [unit.command[0], "manage.py", *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | unit.environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(f"{words[:2]}: {done.stdout}{done.stderr}")
    return done.stdout
