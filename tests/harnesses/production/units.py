"""Read systemd's unit files, so that what is tested is what is installed."""

from __future__ import annotations

import shlex
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.services import ROOT

UNITS = ROOT / "deploy" / "systemd"
HOST = "machine"


@dataclass(frozen=True)
class Places:
    """Where the paths of the installed site are in a test."""

    etc: Path
    var: Path
    static: Path

    def of(self, machine: int) -> Places:
        """The same site on a machine with its own changing files."""
        var = self.var / str(machine)
        var.mkdir(exist_ok=True)
        return replace(self, var=var)

    def local(self, text: str) -> str:
        for installed, here in {
            "/opt/pbx/current": ROOT,
            "/opt/pbx/static": self.static,
            "/etc/pbx": self.etc,
            "/var/lib/pbx": self.var,
        }.items():
            text = text.replace(installed, str(here))
        return text


@dataclass(frozen=True)
class Unit:
    """A service as systemd would start it; times are in seconds."""

    command: list[str]
    environment: dict[str, str]
    directory: Path
    says_ready: bool
    start_limit: float
    stop_limit: float
    restart_after: float


def sections(text: str) -> dict[str, dict[str, list[str]]]:
    """Read a unit file; each key may stand in it several times."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    section, open_line = "", ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(("#", ";")) or not (line or open_line):
            continue
        line, open_line = f"{open_line}{line}", ""
        if line.endswith("\\"):
            open_line = f"{line[:-1].rstrip()} "
        elif line.startswith("["):
            section = line.strip("[]")
        else:
            key, _, value = line.partition("=")
            found[section][key].append(value.strip())
    return found


def read_service(name: str, places: Places, instance: str = "") -> Unit:
    service = sections((UNITS / name).read_text())["Service"]
    credentials = places.etc / "credentials"
    specifiers = {"%i": instance, "%d": str(credentials), "%H": f"{HOST}{instance}"}

    def local(text: str) -> str:
        for specifier, value in specifiers.items():
            text = text.replace(specifier, value)
        return places.local(text)

    _check_credentials(service, credentials, places)
    files = [Path(local(file)) for file in service["EnvironmentFile"]]
    pairs = [local(pair) for pair in service["Environment"]]
    pairs += [local(line) for file in files for line in _lines(file)]
    return Unit(
        command=shlex.split(local(service["ExecStart"][-1])),
        environment=dict(_pair(pair) for pair in pairs),
        directory=Path(local(service["WorkingDirectory"][-1])),
        says_ready=service["Type"][-1] == "notify",
        start_limit=float((service["TimeoutStartSec"] or ["90"])[-1]),
        stop_limit=float(service["TimeoutStopSec"][-1]),
        restart_after=float(service["RestartSec"][-1]),
    )


def _check_credentials(
    service: dict[str, list[str]], credentials: Path, places: Places
) -> None:
    """systemd copies each file to where %d points; here it points to the files."""
    for pair in service["LoadCredential"]:
        name, _, path = pair.partition(":")
        if Path(places.local(path)) != credentials / name:
            raise ValueError(f"The credential {name} is not of that name: {path}")
        (credentials / name).stat()


def _lines(file: Path) -> list[str]:
    lines = [line.strip() for line in file.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, "".join(shlex.split(value))
