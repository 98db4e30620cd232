"""50 logins at once: does a directory that hangs slow PBX passwords down?

And 20,000 users who come from one.
"""

from __future__ import annotations

import re
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import requests

from tests.harnesses.bench import synchronisation
from tests.harnesses.bench.figures import Figure, against
from tests.support.certificates import make_authority
from tests.support.directory import (
    SERVICE_PASSWORD,
    WINDOWS_PASSWORD,
    Directory,
    running_directory,
)
from tests.support.site import Site, running_site

PASSWORD = "a long user's password"
NAMES = [f"user{number}" for number in range(25)]
ROUNDS = 3
HEALTHY, HANGING = "with a healthy directory", "while the directory hangs"
# Each login comes from an address of its own, as from so many desks.
PROXIED = {"TRUSTED_PROXY_COUNT": "1", "LIMIT_FAILED_LOGINS": "10000/m/key"}


def figures() -> Iterator[Figure]:
    """Half of the logins are by PBX password, half of them ask the directory."""
    with (
        running_directory(make_authority("Example AD CA")) as directory,
        silent_port() as port,
        tempfile.TemporaryDirectory() as folder,
        running_site(Path(folder), **PROXIED) as site,
    ):
        set_up(site, directory, Path(folder))
        ports = {HEALTHY: directory.tls_port, HANGING: port}
        taken: dict[str, list[float]] = {state: [] for state in ports}
        for _ in range(ROUNDS):
            for state, at in ports.items():
                point_at(site, at)
                taken[state] += storm(site)
        point_at(site, directory.tls_port)
        beside = synchronisation.Beside(site, directory).figure(_log_in)
    measured = {state: median(times) * 1000 for state, times in taken.items()}
    yield from against(HEALTHY, measured, "PBX-password login of 50")
    yield beside
    yield from synchronisation.figures()


@contextmanager
def silent_port() -> Iterator[int]:
    """Take connections, and say nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        yield server.getsockname()[1]


def set_up(site: Site, directory: Directory, folder: Path) -> None:
    for name in NAMES:
        words = ("pbxusers", "add", name, "--password-stdin")
        site.manage(*words, stdin=f"{PASSWORD}\n")
    site.manage("pbxusers", "add", "anna")
    ca_file = folder / "ca.pem"
    ca_file.write_text(directory.ca_pem)
    values = directory.settings(
        authentication_type="pbx_and_netlogon",
        netlogon_ca_certificate=f"@{ca_file}",
        netlogon_max_failures=100,
    )
    site.manage("authconfig", "set", *(f"{k}={v}" for k, v in values.items()))


def point_at(site: Site, port: int) -> None:
    server = f"netlogon_servers=localhost:{port}"
    secret = f"netlogon_bind_password={SERVICE_PASSWORD}"
    site.manage("authconfig", "set", server, secret)
    # Each process looks at its settings again after a second.
    time.sleep(1.5)


def storm(site: Site) -> list[float]:
    """Return the seconds that each login by PBX password took."""
    windows = [("anna", WINDOWS_PASSWORD)] * len(NAMES)
    pairs = zip(((name, PASSWORD) for name in NAMES), windows, strict=True)
    logins = [login for pair in pairs for login in pair]
    with ThreadPoolExecutor(len(logins)) as pool:
        going = [
            pool.submit(_log_in, site, name, password, f"192.0.2.{number}")
            for number, (name, password) in enumerate(logins)
        ]
        times = [login.result() for login in going]
    return times[::2]


def _log_in(site: Site, name: str, password: str, address: str) -> float:
    with requests.Session() as browser:
        browser.headers.update({"Origin": site.url, "X-Forwarded-For": address})
        page = browser.get(f"{site.url}/login/", timeout=60).text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token
        values = {"login": name, "password": password, "csrfmiddlewaretoken": token[1]}
        began = time.perf_counter()
        answer = browser.post(
            f"{site.url}/login/", values, allow_redirects=False, timeout=60
        )
        taken = time.perf_counter() - began
    assert name == "anna" or answer.status_code == 302, answer.status_code
    return taken
