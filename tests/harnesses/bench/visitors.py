"""Visitors who log in, each from an address of their own, as a proxy tells it.

python -m tests.harnesses.bench.visitors at-once PORT    posts all of them together
python -m tests.harnesses.bench.visitors go-on PORT      each posts again and again
python -m tests.harnesses.bench.visitors health PORT     asks whether the site lives

It reads a line of JSON, [[NAME, PASSWORD], …]; all but the first go on until standard
input ends. At the end it writes a line of JSON: the statuses, 0 where there was no
answer, or the milliseconds of each answer about the site's health.
"""

from __future__ import annotations

import http.client
import itertools
import json
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlencode

HOST = "127.0.0.1"
LIMIT_SECONDS = 60
HEALTH_EVERY_SECONDS = 0.01
numbers = itertools.count(1)


@dataclass(frozen=True)
class Door:
    """The login page of a site, with what a browser has of it."""

    port: int
    cookie: str
    token: str

    @classmethod
    def of(cls, port: int) -> Door:
        line = http.client.HTTPConnection(HOST, port, timeout=LIMIT_SECONDS)
        line.request("GET", "/login/")
        page = line.getresponse()
        cookie = page.headers["Set-Cookie"].partition(";")[0]
        pattern = r'name="csrfmiddlewaretoken" value="([^"]+)"'
        found = re.search(pattern, page.read().decode())
        line.close()
        assert found
        return cls(port, cookie, found[1])

    def connect(self) -> http.client.HTTPConnection:
        line = http.client.HTTPConnection(HOST, self.port, timeout=LIMIT_SECONDS)
        line.connect()
        return line

    def log_in(
        self, name: str, password: str, line: http.client.HTTPConnection | None = None
    ) -> int:
        """Return the answer's status, 0 where there is none."""
        line = line or self.connect()
        values = {"login": name, "password": password}
        body = urlencode(values | {"csrfmiddlewaretoken": self.token})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": self.cookie,
            "X-Forwarded-For": new_address(),
            "X-Forwarded-Proto": "http",
        }
        try:
            line.request("POST", "/login/", body, headers)
            answer = line.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            line.close()
        return answer.status


def new_address() -> str:
    number = next(numbers)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def at_once(door: Door, visitors: list[list[str]]) -> list[int]:
    together = threading.Barrier(len(visitors))

    def visit(name: str, password: str) -> int:
        line = door.connect()
        together.wait(LIMIT_SECONDS)
        return door.log_in(name, password, line)

    with ThreadPoolExecutor(len(visitors)) as pool:
        return list(pool.map(visit, *zip(*visitors, strict=True)))


def go_on(door: Door, visitors: list[list[str]], is_over: threading.Event) -> list[int]:
    # Another process counts its addresses from the start.
    next(itertools.islice(numbers, 1 << 20, None))

    def visit(name: str, password: str) -> list[int]:
        statuses = []
        while not is_over.is_set():
            statuses.append(door.log_in(name, password))
        return statuses

    with ThreadPoolExecutor(len(visitors)) as pool:
        shares = pool.map(visit, *zip(*visitors, strict=True))
        return [status for share in shares for status in share]


def health(port: int, is_over: threading.Event) -> list[float]:
    taken = []
    while not is_over.wait(HEALTH_EVERY_SECONDS):
        began = time.perf_counter()
        line = http.client.HTTPConnection(HOST, port, timeout=LIMIT_SECONDS)
        line.request("GET", "/livez", headers={"X-Forwarded-For": "10.255.0.1"})
        answer = line.getresponse()
        assert answer.status == 200, answer.status
        answer.read()
        line.close()
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def main(task: str, port: int) -> None:
    visitors = json.loads(sys.stdin.readline())
    is_over = threading.Event()

    def await_end() -> None:
        sys.stdin.read()
        is_over.set()

    threading.Thread(target=await_end, daemon=True).start()
    if task == "health":
        found: list[float] | list[int] = health(port, is_over)
    elif task == "go-on":
        found = go_on(Door.of(port), visitors, is_over)
    else:
        found = at_once(Door.of(port), visitors)
    print(json.dumps(found), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
