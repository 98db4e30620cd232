"""Run what compose.yaml says in the image's files, as an engine would.

There is no engine: `unshare`, `mount` and `setpriv` do what is asked for of it. The
network is this machine's own, so that the site reaches the tests' servers.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.harnesses.container.image import Image
from tests.harnesses.production.servers import Server
from tests.support.certificates import Authority
from tests.support.services import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
STOP_SECONDS = 40
# What an engine brings to each container. The last two are what it makes of
# `read_only`; root keeps CAP_SYS_ADMIN until `setpriv` gives everything away.
ENTER = """
mount --bind "$ROOT" "$ROOT"
mount --bind "$VOLUME" "$ROOT/$PLACE"
mount -t tmpfs tmpfs "$ROOT/run"
mkdir -p "$ROOT/run/secrets" "$ROOT/run/services"
mount --bind "$SECRETS" "$ROOT/run/secrets"
mount --bind "$SERVICES" "$ROOT/run/services"
mount --bind /etc/hosts "$ROOT/etc/hosts"
mount --rbind /dev "$ROOT/dev"
mount -t proc proc "$ROOT/proc"
mount -o remount,bind,ro "$ROOT/run/secrets"
mount -o remount,ro "$ROOT/run"
mount -o remount,bind,ro "$ROOT"
exec chroot "$ROOT" setpriv --reuid "${WHO%:*}" --regid "${WHO#*:}" --clear-groups \
  --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


def compose() -> dict[str, Any]:
    told = yaml.safe_load(COMPOSE.read_text())
    assert isinstance(told, dict)
    return told


def example() -> dict[str, str]:
    """Return what deploy/site.env sets."""
    lines = (DEPLOY / "site.env").read_text().splitlines()
    pairs = [shlex.split(line, comments=True) for line in lines]
    return dict(pair[0].split("=", 1) for pair in pairs if pair)


@dataclass
class Stand:
    """The folders of a site in containers: its volume, its secrets, its services.

    `changes` are of its environment; where the tests' servers are differs each time.
    """

    image: Image
    directory: Path
    services: Path
    changes: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.volume, self.secrets = self.directory / "volume", self.directory / "known"
        self.volume.mkdir(mode=0o700)
        user, group = self.image.user.split(":")
        shutil.chown(self.volume, int(user), int(group))
        make = [DEPLOY / "container" / "secrets", self.secrets]
        subprocess.run(make, check=True)
        # An engine mounts each file; here all of them come, and so does the folder.
        self.secrets.chmod(0o755)

    def log(self, service: str) -> str:
        return (self.directory / f"{service}.log").read_text(errors="replace")

    def start(self, service: str) -> None:
        told = compose()["services"][service]
        words = [*self.image.entrypoint, told["command"]]
        with (self.directory / f"{service}.log").open("wb") as log:
            self.running[service] = subprocess.Popen(
                self._entering(service, words), stdout=log, stderr=subprocess.STDOUT
            )

    def run(self, *words: str, stdin: str = "") -> tuple[int, str]:
        """Run a command as `docker compose exec worker` would; return how it ended."""
        done = subprocess.run(
            self._entering("worker", list(words)),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout

    def manage(self, *words: str, stdin: str = "") -> str:
        code, told = self.run(*self.image.entrypoint, *words, stdin=stdin)
        assert code == 0, told
        return told

    def _entering(self, service: str, words: list[str]) -> list[str]:
        told = compose()["services"][service]
        assert told["read_only"]
        assert told["cap_drop"] == ["ALL"]
        assert told["security_opt"] == ["no-new-privileges:true"]
        [volume] = told["volumes"]
        places = {
            "ROOT": self.image.root,
            "VOLUME": self.volume,
            "PLACE": volume.partition(":")[2].strip("/"),
            "SECRETS": self.secrets,
            "SERVICES": self.services,
            "WHO": self.image.user,
        }
        environment = self.image.environment | example() | told["environment"]
        pairs = [f"{k}={v}" for k, v in (environment | self.changes).items()]
        outside = ["env", *(f"{name}={place}" for name, place in places.items())]
        own = ["unshare", "--mount", "--propagation=private", "sh", "-euc", ENTER, "-"]
        return [*outside, *own, "env", "-i", *pairs, *words]

    def end(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            process.kill()
            process.wait()


class Proxy(Server):
    """Caddy with compose.yaml's file, a certificate of the tests, and another port."""

    def __init__(self, directory: Path, authority: Authority, web_port: int) -> None:
        super().__init__("caddy", directory)
        pem, file = directory / "caddy.pem", directory / "Caddyfile"
        pem.write_text(authority.server_pem())
        lines = (DEPLOY / "container" / "Caddyfile").read_text()
        for there, here in {
            "{$SITE_URL} {": f"{{$SITE_URL}} {{\n\ttls {pem} {pem}",
            "web:8000": f"127.0.0.1:{web_port}",
        }.items():
            assert there in lines
            lines = lines.replace(there, here)
        file.write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{lines}")
        homes = (f"XDG_DATA_HOME={directory}", f"XDG_CONFIG_HOME={directory}")
        start = ("caddy", "run", "--config", str(file), "--adapter", "caddyfile")
        self.command = ["env", *homes, f"SITE_URL={self.url}", *start]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"
